"""Names of intranet machines for lists: looked up in the background when somebody asks, and kept for a while."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

import dns.asyncresolver
import dns.exception
import dns.reversename

AT_ONCE = 8
MAX_NAMES = 4096
RECHECK = 3600.0
"""Seconds until a name, or its absence, is looked up again."""

Address = IPv4Address | IPv6Address


class PeerNames:
    """Answers at once with what it knows, and finds out the rest while :meth:`run` runs."""

    def __init__(
        self,
        resolver: Callable[[], dns.asyncresolver.Resolver],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
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
            async with asyncio.TaskGroup() as group:
                for address in batch:
                    group.create_task(self._look_up(address))
            for address in batch:
                del self._wanted[address]
            if not self._wanted:
                self._asked.clear()

    async def _look_up(self, address: Address) -> None:
        try:
            question = dns.reversename.from_address(str(address))
            answer = await self.resolver().resolve(question, "PTR")
            name = answer[0].target.to_text(omit_final_dot=True)
        except (dns.exception.DNSException, OSError):
            name = ""
        self._known[address] = name, self._clock() + RECHECK
        self._known.move_to_end(address)
        while len(self._known) > MAX_NAMES:
            self._known.popitem(last=False)
