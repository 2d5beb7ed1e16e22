"""Whether another machine on the segment has an address of the pool, asked by ARP as RFC 5227 would.

Addresses are asked for before they are given (those that are next), once more when somebody gets one, and from then on
now and then. One that is taken when it is given is skipped: the client gets another, and the address is nobody's
until the other machine has been silent for a while. For one that somebody has had for longer it is only told, or
whoever forges ARP could drive clients from their addresses.

Whoever forges ARP on this segment can still do harm (nothing here defends against it), but takes no more than
:data:`PROXIES` addresses for each machine, and half of the pool in all.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from ipaddress import IPv4Address
from itertools import islice

from manageout.errors import ManageoutError
from manageout.linux.packets.arp import who_has
from manageout.service.process.finding import Finding, finding
from manageout.service.process.loops import woken
from manageout.service.process.presence import Client, Watcher
from manageout.words import listed

ROUND = 60.0
"""Seconds between two rounds."""
SOON = 0.05
"""Seconds in which new leases collect, to be asked for together."""
WAIT = 0.4
"""Seconds to wait for answers."""
AT_ONCE = 128
"""Addresses of each kind in one question."""
NEXT = 16
"""Addresses that are looked at before somebody gets them."""
PROXIES = 4
"""One machine that answers for more is a proxy for all of them: nobody would have an address left."""
MAX_TAKEN = 64
SILENT_ROUNDS = 2
"""After which an address is free again."""
SHOWN = 3

log = logging.getLogger(__name__)


class ConflictDetection(Watcher):
    """A watcher. ``segment``: device and our address there, or None where nobody asks for leases by ARP.
    ``upcoming``: addresses that are next; ``changed`` is called when :attr:`taken` has."""

    def __init__(
        self,
        segment: Callable[[], tuple[str, bytes] | None],
        upcoming: Callable[[int], list[bytes]],
        changed: Callable[[], None],
    ) -> None:
        self._segment, self._upcoming, self._changed = segment, upcoming, changed
        self.taken: dict[bytes, bytes] = {}
        """Addresses that nobody gets: the Ethernet address of who has it."""
        self.contested: dict[bytes, bytes] = {}
        """Leases for which another machine answers as well."""
        self.proxies: dict[bytes, int] = {}
        self.room = MAX_TAKEN
        """So many may be taken."""
        self.rounds = 0
        self._device = ""
        self._held: dict[bytes, str] = {}
        """Leases that are somebody's, also while he is away; those asked for the longest time ago first."""
        self._new: dict[bytes, None] = {}
        self._silent: Counter[bytes] = Counter()
        self._wake = asyncio.Event()
        self._told = False

    # --- Watcher ----------------------------------------------------------------------------------------

    def present(self, client: Client, before: Client | None) -> None:
        """It has got its lease now, or has had it; while it was away another machine may have taken the address."""
        if client.lease is not None and (before is None or before.lease != client.lease):
            self._held[client.lease] = client.identity
            self._new[client.lease] = None
            self._wake.set()

    def released(self, identity: str, lease: bytes) -> None:
        """Nobody's."""
        if self._held.get(lease) == identity:
            del self._held[lease]
            self._new.pop(lease, None)
            self.contested.pop(lease, None)

    # --- Life -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until cancelled."""
        due = time.monotonic()
        while True:
            now = time.monotonic()
            whole = now >= due
            if whole:
                due = now + ROUND
            await self._ask(whole)
            if not self._new:
                await woken(self._wake, max(0.0, due - time.monotonic()))
            self._wake.clear()
            await asyncio.sleep(SOON)

    async def _ask(self, whole: bool) -> None:
        """For new ones; ``whole``: also for those that are next, taken, or held."""
        try:
            segment = self._segment()
        except ManageoutError:  # a device that goes while it is looked at: the next round tells
            return
        new = list(islice(self._new, AT_ONCE))
        for v4 in new:
            del self._new[v4]
        old = list(islice(self._held, AT_ONCE)) if whole else []
        for v4 in old:
            self._held[v4] = self._held.pop(v4)
        wanted = {*new, *old}
        if whole:
            wanted.update(self._upcoming(NEXT), self.taken, islice(self.contested, AT_ONCE))
        if segment is None or not wanted:
            self._forget_all(segment)
            return
        self._device, own = segment
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(None, who_has, self._device, own, wanted, WAIT)
        except ManageoutError as error:
            if not self._told:
                log.warning("who has leases is not asked for: %s (%s)", error.message, error.hint)
            self._told = True
            return
        self._told = False
        self.heard(found, new, wanted)
        self.rounds += whole

    def _forget_all(self, segment: tuple[str, bytes] | None) -> None:
        if segment is None and (self.taken or self.contested or self.proxies):
            self.contested.clear()
            self.proxies.clear()
            self.taken.clear()
            self._changed()

    def heard(self, found: dict[bytes, bytes], new: Collection[bytes], asked: Iterable[bytes]) -> None:
        """What follows from the answers to one question."""
        before = set(self.taken)
        for v4 in set(asked) - found.keys():
            self.contested.pop(v4, None)
            self._silent[v4] += v4 in self.taken
            if self._silent[v4] >= SILENT_ROUNDS:
                self.taken.pop(v4, None)
        self._proxied(self.taken | self.contested | found)
        for v4, hardware in found.items():
            if hardware not in self.proxies:
                self._conflict(v4, hardware, v4 in new)
        still = self.taken.keys() - found.keys()
        self._silent = Counter({v4: times for v4, times in self._silent.items() if v4 in still})
        if set(self.taken) != before:
            self._changed()

    def _proxied(self, known: dict[bytes, bytes]) -> None:
        """Whoever answers for very many takes none of them away."""
        counts = Counter(known.values())
        proxies = {hardware: count for hardware, count in counts.items() if count > PROXIES}
        for hardware in proxies.keys() - self.proxies.keys():
            words = "%s on %s answers ARP for %d addresses of the pool"
            log.warning(words, *self._named(hardware), proxies[hardware])
        self.proxies = proxies
        for v4, hardware in known.items():
            if hardware in proxies:
                self.contested[v4] = hardware
                self.taken.pop(v4, None)

    def _conflict(self, v4: bytes, hardware: bytes, new: bool) -> None:
        holder = self._held.get(v4)
        if v4 in self.taken:
            return
        if (holder is None or new) and len(self.taken) < min(self.room, MAX_TAKEN):
            self.taken[v4] = hardware
            self.contested.pop(v4, None)
            words = "%s of the pool is in use by %s on %s: no client gets it"
            log.warning(words, IPv4Address(v4), *self._named(hardware))
        elif v4 not in self.contested:
            self.contested[v4] = hardware
            log.warning("%s, a lease, is answered for by %s on %s", IPv4Address(v4), *self._named(hardware))

    def _named(self, hardware: bytes) -> tuple[str, str]:
        return hardware.hex(":"), self._device

    # --- What is shown ----------------------------------------------------------------------------------

    def findings(self) -> list[Finding]:
        """One of each kind."""
        found = []
        if self.taken:
            found.append(finding("POOL-ADDRESS-TAKEN", device=self._device, addresses=_listed(self.taken)))
        contested = {v4: who for v4, who in self.contested.items() if v4 in self._held}
        if leases := {v4: who for v4, who in contested.items() if who not in self.proxies}:
            found.append(finding("LEASE-CONTESTED", device=self._device, addresses=_listed(leases)))
        for hardware, count in self.proxies.items():
            who = hardware.hex(":")
            found.append(finding("POOL-PROXIED", hardware=who, device=self._device, count=count))
        return found


def _listed(addresses: dict[bytes, bytes]) -> str:
    rows = [f"{IPv4Address(v4)} by {hardware.hex(':')}" for v4, hardware in sorted(addresses.items())]
    return listed(rows, SHOWN)
