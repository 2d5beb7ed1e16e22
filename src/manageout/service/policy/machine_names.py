"""The addresses of managers that the site file calls by name: resolved again and again, through the intranet's DNS.

Rules open doors by what DNS says, so an answer counts only as long as it lives. A name that does not exist opens
nothing; while no server answers, what was known last goes on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from ipaddress import IPv4Address, IPv6Address, ip_address

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver
from dns.rdatatype import RdataType

from manageout.site.tables.site import Site
from manageout.wire.host_port import HostPort
from manageout.words import said

SHORTEST, LONGEST = 5.0, 3600.0
"""Seconds between two looks at a name, whatever its TTL says."""
RETRY = 10.0
MAX_ADDRESSES = 64
"""Of one name; further ones do not count."""
AT_ONCE = 8
UNRESOLVED = "is not yet resolved"
_LIFETIME = 5.0

Address = IPv4Address | IPv6Address
log = logging.getLogger(__name__)


def resolver_of(site: Site, lifetime: float = _LIFETIME) -> dns.asyncresolver.Resolver:
    """The intranet's DNS servers: those of DNS64, else this machine's own.

    Raises :class:`dns.resolver.NoResolverConfiguration`.
    """
    upstreams = site.dns64.upstreams if site.dns64 is not None else ()
    resolver = dns.asyncresolver.Resolver(configure=not upstreams)
    if upstreams:
        resolver.nameservers = [_nameserver(each) for each in upstreams]
    resolver.lifetime = lifetime
    return resolver


def _nameserver(server: str) -> dns.nameserver.Do53Nameserver:
    """Of ``ADDRESS``, ``ADDRESS:PORT`` or ``[ADDRESS]:PORT``."""
    where = HostPort.parse(server, 53)
    return dns.nameserver.Do53Nameserver(where.host, where.port)


class ManagerNames:
    """Keeps names resolved while :meth:`run` runs; ``found(name, addresses)`` hears of every change."""

    def __init__(
        self,
        found: Callable[[str, Collection[Address]], None],
        resolver: Callable[[], dns.asyncresolver.Resolver],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.states: dict[str, str] = {}
        """Of each name, one line for people; empty when all is well."""
        self._found, self._clock = found, clock
        self.resolver = resolver
        self._due: dict[str, float] = {}
        self._known: dict[str, Collection[Address]] = {}
        self._changed = asyncio.Event()

    def configure(self, names: Collection[str], resolver: Callable[[], dns.asyncresolver.Resolver]) -> None:
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
                await self._wait(pause)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _look_up(self, name: str) -> None:
        state, addresses, ttl = await look_up(name, self.resolver)
        self._again(name, ttl)
        self._say(name, state)
        if addresses is None:
            return
        if name in self._due and set(addresses) != set(self._known.get(name, ())):
            self._known[name] = addresses
            self._found(name, addresses)

    def _again(self, name: str, seconds: float) -> None:
        if name in self._due:
            self._due[name] = self._clock() + min(max(seconds, SHORTEST), LONGEST)

    def _say(self, name: str, state: str) -> None:
        if name not in self._due:
            return
        if state and state != self.states.get(name):
            log.warning("the manager %s %s; see [[policy.managers]]", name, state)
        self.states[name] = state


async def look_up(
    name: str, resolver: Callable[[], dns.asyncresolver.Resolver]
) -> tuple[str, list[Address] | None, float]:
    """One line for people, empty when all is well; its addresses, None when nobody knows; when to look again."""
    try:
        addresses, ttl = await _resolve(resolver(), name)
    except (dns.exception.DNSException, OSError) as error:
        what = "no DNS server answers" if isinstance(error, dns.exception.Timeout) else said(error)
        return f"cannot be resolved: {what}", None, RETRY
    return "" if addresses else "has no address", addresses, ttl


async def _resolve(resolver: dns.asyncresolver.Resolver, name: str) -> tuple[list[Address], float]:
    """Its addresses of both families, and how long they live; none when there is no such name."""
    addresses: list[Address] = []
    life = LONGEST
    for kind in (RdataType.A, RdataType.AAAA):
        try:
            answer = await resolver.resolve(name + ".", kind)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            continue
        life = min(life, float(answer.chaining_result.minimum_ttl))
        addresses += [ip_address(record.address) for record in answer]
    return addresses[:MAX_ADDRESSES], life if addresses else RETRY
