"""Names of intranet machines, asked of the intranet's DNS: addresses of managers, and names of whoever has called.

Rules open doors by what DNS says, so an answer counts only as long as it lives. A name that does not exist opens
nothing; while no server answers, what was known last goes on.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Collection

from manageout.service.process import lookups
from manageout.service.process.lookups import AT_ONCE, Address, MakeResolver
from manageout.service.process.loops import woken

SHORTEST, LONGEST = 5.0, 3600.0
"""Seconds between two looks at a manager's name, whatever its TTL says."""
RETRY = 10.0
MAX_ADDRESSES = 64
"""Of one name; further ones do not count."""
MAX_NAMES = 4096
RECHECK = 3600.0
"""Seconds until the name of an address, or its absence, is looked up again."""
UNRESOLVED = "is not yet resolved"

log = logging.getLogger(__name__)


async def manager_addresses(make: MakeResolver, name: str) -> tuple[str, list[Address] | None, float]:
    """One line for people, empty when all is well; its addresses, None when nobody knows; when to look again."""
    found = await lookups.addresses_of(make, name + ".")
    if found.addresses is None:
        return f"cannot be resolved: {found.fault}", None, RETRY
    if not found.addresses:
        return "has no address", [], RETRY
    return "", found.addresses[:MAX_ADDRESSES], found.ttl


class ManagerNames:
    """Keeps names resolved while :meth:`run` runs; ``found(name, addresses)`` hears of every change."""

    def __init__(
        self,
        found: Callable[[str, Collection[Address]], None],
        resolver: MakeResolver,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.states: dict[str, str] = {}
        """Of each name, one line for people; empty when all is well."""
        self._found, self._clock = found, clock
        self.resolver = resolver
        self._due: dict[str, float] = {}
        self._known: dict[str, Collection[Address]] = {}
        self._changed = asyncio.Event()

    def configure(self, names: Collection[str], resolver: MakeResolver) -> None:
        """Other names from now on, or other servers: all are looked up at once."""
        self.resolver = resolver
        self._due = dict.fromkeys(names, 0.0)
        self._known = {name: known for name, known in self._known.items() if name in self._due}
        self.states = {name: self.states.get(name, UNRESOLVED) for name in names}
        self.wake()

    def unresolved(self) -> list[str]:
        """Names that have not been asked for since they were configured."""
        return [name for name, state in self.states.items() if state == UNRESOLVED]

    def wake(self) -> None:
        """Look at the clock now."""
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._changed.clear()
            now = self._clock()
            due = [name for name, when in self._due.items() if when <= now][:AT_ONCE]
            async with asyncio.TaskGroup() as group:
                for name in due:
                    group.create_task(self._look_up(name))
            pause = min(self._due.values(), default=now + LONGEST) - self._clock()
            if pause > 0:
                await woken(self._changed, pause)

    async def _look_up(self, name: str) -> None:
        state, addresses, ttl = await manager_addresses(self.resolver, name)
        if name not in self._due:
            return
        self._due[name] = self._clock() + min(max(ttl, SHORTEST), LONGEST)
        if state and state != self.states.get(name):
            log.warning("the manager %s %s; see [[policy.managers]]", name, state)
        self.states[name] = state
        if addresses is not None and set(addresses) != set(self._known.get(name, ())):
            self._known[name] = addresses
            self._found(name, addresses)


class PeerNames:
    """Answers at once with what it knows, and finds out the rest while :meth:`run` runs."""

    def __init__(self, resolver: MakeResolver, clock: Callable[[], float] = time.monotonic) -> None:
        self.resolver = resolver
        self._clock = clock
        self._known: OrderedDict[Address, tuple[str, float]] = OrderedDict()
        self._wanted: dict[Address, None] = {}
        self._asked = asyncio.Event()

    def name(self, address: Address) -> str:
        """Its name, or nothing: then asking again in a second may help."""
        name, until = self._known.get(address, ("", 0.0))
        if until <= self._clock() and len(self._wanted) < MAX_NAMES:
            self._wanted[address] = None
            self._asked.set()
        return name

    async def run(self) -> None:
        """Until cancelled. A resolver that does not answer only means that there are no names."""
        while True:
            await self._asked.wait()
            batch = list(self._wanted)[:AT_ONCE]
            for address, name in zip(batch, await lookups.names_of(self.resolver, batch), strict=True):
                del self._wanted[address]
                self._known[address] = name, self._clock() + RECHECK
                self._known.move_to_end(address)
            while len(self._known) > MAX_NAMES:
                self._known.popitem(last=False)
            if not self._wanted:
                self._asked.clear()
