"""Which hosts retire now, as the daemon hears it: from the file that ``manageout retire`` writes.

The file is looked at every second, so nobody has to tell the daemon, and no command needs rights over it. What hosts
have been told stands in a file of its own: so after a restart those that no longer retire hear of it, too.
"""

import logging
from ipaddress import IPv4Network
from pathlib import Path

from manageout.errors import ManageoutError
from manageout.protocol.core.prefixes import Prefix
from manageout.service.process.files import replace_file
from manageout.service.process.finding import Finding, finding
from manageout.service.state.retire import RetireStore

TOLD = "retire.told"

log = logging.getLogger(__name__)
Stamp = tuple[int, int, int]


class Retiring:
    """``networks``: what holds, as told to the hosts."""

    def __init__(self, state_dir: Path) -> None:
        self._store, self._told = RetireStore(state_dir), state_dir / TOLD
        self._stamp: Stamp | None = None
        self.networks = self._read_told()
        self.fault: ManageoutError | None = None
        """Why the set cannot be read; the old one holds."""

    def prefixes(self) -> list[Prefix]:
        """For the machine."""
        return [Prefix(network.network_address.packed, network.prefixlen) for network in self.networks]

    def stale(self) -> bool:
        """Whether the file is another than it was read; cheap."""
        return self._look() != self._stamp

    def read(self) -> list[IPv4Network]:
        """What the file says now; blocks. Give it to :meth:`take` when the hosts are told."""
        stamp = self._look()
        try:
            networks = [member.network for member in self._store.members()]
        except ManageoutError as error:
            if self.fault is None:
                log.warning("who retires cannot be read: %s (%s)", error.message, error.hint)
            self.fault = error
            return self.networks
        self._stamp, self.fault = stamp, None
        return networks

    def take(self, networks: list[IPv4Network]) -> None:
        """The hosts are told."""
        if networks == self.networks:
            return
        self.networks = networks
        log.info("retiring: %s", ", ".join(map(str, networks)) or "no host any more")
        try:
            replace_file(self._told, "".join(f"{network}\n" for network in networks).encode(), 0o640)
        except ManageoutError as error:
            log.warning("what hosts are told is not kept: %s (%s)", error.message, error.hint)

    def findings(self) -> list[Finding]:
        """What somebody should look at."""
        if self.fault is None:
            return []
        return [finding("RETIRE-UNREADABLE", why=self.fault.message, hint=self.fault.hint)]

    def _look(self) -> Stamp | None:
        try:
            found = self._store.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _read_told(self) -> list[IPv4Network]:
        try:
            return [IPv4Network(line) for line in self._told.read_text().split()]
        except (OSError, ValueError):
            return []
