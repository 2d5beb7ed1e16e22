"""PTR names of ISATAP hosts: looked up in the background, few at a time, cached in the registry."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from ipaddress import IPv4Address

import dns.asyncresolver

from manageout.protocol.isatap.registry import Registry
from manageout.service.process.lookups import AT_ONCE, MakeResolver, names_of

PROVEN, UNPROVEN = 64, 4
"""Names looked up in a second, of hosts with traffic both ways and of others: a forged source costs little."""
QUEUE = 4096
RECHECK = 86400.0
"""Seconds until a name, or its absence, is looked up again."""
_SCAN = 256
_PAUSE = 1.0
_LIFETIME = 3.0


class HostNames:
    """Keeps the names of ``registry`` fresh while :meth:`run` runs."""

    def __init__(self, registry: Registry, resolver: MakeResolver = dns.asyncresolver.Resolver) -> None:
        self._registry, self._resolver = registry, resolver
        self._wanted: deque[bytes] = deque(maxlen=QUEUE)
        self._row = 0

    def seen(self, v4: bytes) -> None:
        """A new host: its name comes first. When too many come at once, the round finds the rest."""
        self._wanted.append(v4)

    async def run(self) -> None:
        """Until cancelled. A resolver that does not answer only means that there are no names."""
        while True:
            await asyncio.sleep(_PAUSE)
            batch = self._new() or self._stale()
            for start in range(0, len(batch), AT_ONCE):
                hosts = batch[start : start + AT_ONCE]
                names = await names_of(self._resolver, [IPv4Address(v4) for v4 in hosts], _LIFETIME)
                for v4, name in zip(hosts, names, strict=True):
                    self._registry.named(v4, name, time.monotonic())

    def _new(self) -> list[bytes]:
        """Those with traffic both ways as they come; of the others, whose source may be forged, a few."""
        queued = [self._wanted.popleft() for _ in range(min(len(self._wanted), _SCAN))]
        return self._bounded(v4 for v4 in queued if v4 in self._registry)

    def _stale(self) -> list[bytes]:
        """The next stretch of the registry, round and round."""
        found = self._registry.unnamed(self._row, _SCAN, RECHECK, time.monotonic())
        self._row = self._row + _SCAN if self._row + _SCAN < len(self._registry) else 0
        return self._bounded(found)

    def _bounded(self, hosts: Iterable[bytes]) -> list[bytes]:
        groups: dict[bool, list[bytes]] = {True: [], False: []}
        for v4 in hosts:
            groups[self._registry.is_proven(v4)].append(v4)
        return groups[True][:PROVEN] + groups[False][:UNPROVEN]
