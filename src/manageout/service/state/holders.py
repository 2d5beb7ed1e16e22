"""Who held an address last, also before a restart: no client inherits what another one had open.

Memory is bounded, and nobody can push another out of it: a client that goes through addresses pushes out its own, and
when there is no room at all those with the most. What is pushed out is told, so that its connections are ended instead.

The file is a line for each change, written anew when it has grown. It needs to outlive a killed daemon, not the
machine, whose connections end with it. When it cannot be written it is emptied: who gets an address whose holder is not
known inherits nothing.
"""

import contextlib
import json
import logging
import os
from pathlib import Path

from manageout.errors import ManageoutError
from manageout.service.process.files import replace_file

FORMER = 131_072
"""Addresses whose last holder is remembered."""
EACH = 256
"""Of one client."""
SLACK = 4096
"""Lines that the file may have beyond twice the addresses."""

log = logging.getLogger(__name__)


class Holders:
    """``file``: where it is kept; None: not at all."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._holder: dict[bytes, str] = {}
        self._addresses: dict[str, dict[bytes, None]] = {}
        """Of each client, the one that was held last at the end."""
        self._by_count: list[dict[str, None]] = [{} for _ in range(EACH + 2)]
        self._pushed_out: set[bytes] = set()
        self._lines = 0
        if file is not None:
            self._read(file)

    def of(self, address: bytes) -> str | None:
        """Its last holder, as far as is known."""
        return self._holder.get(address)

    def note(self, address: bytes, identity: str) -> None:
        """``identity`` has ``address`` now."""
        if self._holder.get(address) == identity:
            self._addresses[identity][address] = self._addresses[identity].pop(address)
            return
        self._set(address, identity)
        self._append(address, identity)

    def pushed_out(self) -> set[bytes]:
        """Addresses that are no longer remembered, since the last call."""
        taken, self._pushed_out = self._pushed_out, set()
        return taken

    def __len__(self) -> int:
        return len(self._holder)

    def _set(self, address: bytes, identity: str) -> None:
        self._drop(address)
        self._holder[address] = identity
        self._count(identity, -1)
        self._addresses.setdefault(identity, {})[address] = None
        self._count(identity, 1)
        if len(self._addresses[identity]) > EACH:
            self._push_out(identity)
        elif len(self._holder) > FORMER:
            self._push_out(next(iter(next(filter(None, reversed(self._by_count))))))

    def _push_out(self, identity: str) -> None:
        address = next(iter(self._addresses[identity]))
        self._drop(address)
        self._pushed_out.add(address)

    def _drop(self, address: bytes) -> None:
        identity = self._holder.pop(address, None)
        if identity is None:
            return
        self._count(identity, -1)
        del self._addresses[identity][address]
        if self._addresses[identity]:
            self._count(identity, 1)
        else:
            del self._addresses[identity]

    def _count(self, identity: str, way: int) -> None:
        """Put it among those that have as many addresses, or take it out from there."""
        count = len(self._addresses.get(identity, ()))
        if way > 0:
            self._by_count[count][identity] = None
        else:
            self._by_count[count].pop(identity, None)

    # --- The file ---------------------------------------------------------------------------------------

    def _read(self, file: Path) -> None:
        try:
            lines = file.read_text(errors="replace").splitlines()
        except OSError:
            return
        for line in lines:
            with contextlib.suppress(
                ValueError, TypeError, RecursionError
            ):  # half a line, of a killed process
                address, identity = json.loads(line)
                if isinstance(identity, str) and len(packed := bytes.fromhex(address)) == 16:
                    self._set(packed, identity)
        self._lines = len(lines)
        self._pushed_out.clear()

    def _append(self, address: bytes, identity: str) -> None:
        if self._file is None:
            return
        try:
            if self._lines > 2 * len(self._holder) + SLACK:
                text = "".join(_line(*each) for each in self._holder.items())
                replace_file(self._file, text.encode(), 0o600)
                self._lines = len(self._holder)
                return
            with open(self._file, "a", opener=lambda path, flags: os.open(path, flags, 0o600)) as opened:
                opened.write(_line(address, identity))
            self._lines += 1
        except (OSError, ManageoutError) as error:
            log.warning(
                "%s cannot be written: %s; after a restart no address inherits anything", self._file, error
            )
            self._empty()

    def _empty(self) -> None:
        """What it says may be wrong now, and would be believed."""
        assert self._file is not None, "the caller has looked"
        file, self._file = self._file, None
        with contextlib.suppress(OSError), open(file, "r+") as opened:
            opened.truncate(0)


def _line(address: bytes, identity: str) -> str:
    return json.dumps([address.hex(), identity]) + "\n"
