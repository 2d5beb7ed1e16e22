"""The ISATAP host (RFC 5214 8.3): solicits the routers of its list, configures addresses and routes, fails over.

The driver resolves names and knows the machine's IPv4 address; it tells by :meth:`IsatapHost.set_routers` and
:meth:`IsatapHost.set_locator`. What the kernel should hold comes out as events. A packet's way is that of
:mod:`manageout.protocol.isatap.end`.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from manageout.errors import WireError
from manageout.protocol.core.drops import Drop, Verdict
from manageout.protocol.core.prefixes import Prefix
from manageout.protocol.host import slaac
from manageout.protocol.isatap.end import TUN, Endpoint, IsatapEnd
from manageout.protocol.isatap.errors import FailedDelivery, answerable
from manageout.protocol.isatap.flows import Flows
from manageout.protocol.isatap.link import LinkRole, LinkState
from manageout.protocol.isatap.nd import answer_solicitation
from manageout.protocol.isatap.potential_router import MAX_SOLICITATION_DELAY, PotentialRouter, Reach
from manageout.wire import icmpv6, ipv6, nd
from manageout.wire.address import embedded_isatap, isatap_link_local

MIN_MTU, MAX_MTU = 1280, 1480
MAX_PEERS = 4096
"""Other hosts of the link that the fast path is told of; the rest goes the slow path."""
MAX_DROP_SOURCES = 256
HAND_OVER = 12.0
"""Seconds that a router which left the list still serves when no other has advertised: three solicitations."""
LINGER = 2.0
"""Seconds that packets from a router are still taken after another has taken over."""


class AddressSet(NamedTuple):
    """Add the address (a /64 is on the link with it) or refresh its lifetimes, in seconds."""

    address: bytes
    valid: int
    preferred: int


class RouteSet(NamedTuple):
    """Reach a prefix through a router; ``via`` is its link-local address."""

    prefix: bytes
    length: int
    router: bytes
    via: bytes
    preference: nd.Preference


class RouterChanged(NamedTuple):
    """What we think of a router."""

    v4: bytes
    reach: Reach


class MtuChanged(NamedTuple):
    """The routers advertise another link MTU, in bytes."""

    mtu: int


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """Prefixes, locator, routers or routes of ``link`` are others now."""


class PeerSeen(NamedTuple):
    """Another host of the link talks to us."""

    v4: bytes


Configuration = AddressSet | slaac.AddressRemoved | RouteSet | slaac.RouteRemoved
Event = Configuration | RouterChanged | MtuChanged | LinkChanged | PeerSeen


class IsatapHost(IsatapEnd[Event]):
    """The machine. ``random`` returns a float in [0, 1)."""

    told: ClassVar = {Drop.NO_NEIGHBOUR: icmpv6.ADDRESS_UNREACHABLE}

    def __init__(self, random: Callable[[], float], mtu: int = MIN_MTU) -> None:
        super().__init__(LinkState(LinkRole.HOST), random, MAX_DROP_SOURCES)
        self.routers: dict[bytes, PotentialRouter] = {}
        self.locator = b""
        self.mtu = mtu
        self._random = random
        self._leaving: dict[bytes, float] = {}
        self._prefixes = slaac.SlaacPrefixes()
        self._routes: slaac.RouteTable[bytes] = slaac.RouteTable()
        # What the kernel was told, to find what changed.
        self._addresses: dict[bytes, tuple[float, float]] = {}
        self._installed: dict[Prefix, RouteSet] = {}
        self._reach: dict[bytes, Reach] = {}
        self._told: object = None

    # What the driver finds out

    def set_locator(self, locator: bytes, now: float) -> None:
        """Our IPv4 address is ``locator`` (empty: we have none). Prefixes and routers stay, addresses follow."""
        if locator == self.locator:
            return
        self.locator = locator
        for router in self.routers.values():
            if router.tries or router.address:
                router.restart(now)
            if router.address:
                router.probe(now)
        self._settle(now)

    def set_routers(self, found: Iterable[bytes], now: float) -> None:
        """The name has these IPv4 addresses. A router that is gone takes its routes along; prefixes run out.

        When the name has moved, the old router serves until a new one has advertised.
        """
        found = dict.fromkeys(found)
        for v4 in self.routers.keys() - found.keys() - self._leaving.keys():
            self._leaving[v4] = now + HAND_OVER if found else now
            self.routers[v4].next_rs = math.inf
        for v4 in found:
            if v4 not in self.routers:
                self.routers[v4] = PotentialRouter(v4, now + self._random() * MAX_SOLICITATION_DELAY)
            elif self._leaving.pop(v4, None) is not None:
                self.routers[v4].restart(now)
        self._retire(now)
        self._settle(now)

    def _retire(self, now: float) -> None:
        """Forget the routers that left the list, once others have taken over or their time is up."""
        stay = [router for v4, router in self.routers.items() if v4 not in self._leaving]
        taken_over = any(router.address and not router.failed for router in stay)
        for v4, until in list(self._leaving.items()):
            if taken_over:
                # Nothing goes through it any more, but what it has sent may still be on its way.
                self._routes.forget(v4)
                until = self._leaving[v4] = min(until, now + LINGER)
            if until <= now:
                del self._leaving[v4], self.routers[v4]
                self._reach.pop(v4, None)
                self._routes.forget(v4)

    def traffic(self, peer: bytes, now: float) -> None:
        """Packets went to ``peer`` past this machine (by the fast path)."""
        router = self.routers.get(peer)
        if router is not None:
            router.traffic(now)

    # Input, time and output

    def receive_run(self, first: bytes, source: Endpoint, count: int, size: int, now: float) -> bytes | None:
        """See :class:`IsatapEnd`."""
        if source is TUN:
            verdict, _, packet, peer = self._flows.encapsulate(first, 0)
            if verdict is Verdict.FORWARD:
                self.traffic(peer, now)
        else:
            verdict, _, packet, peer = self._flows.decapsulate(first)
            if peer not in self.link.hosts:
                return None
        return packet if verdict is Verdict.FORWARD else None

    def on_timer(self, now: float) -> None:
        """Solicit, probe and expire whatever is due."""
        own = self._own_address()
        for router in self.routers.values() if own else ():
            if router.wants_solicitation(now):
                # To all routers: we cannot know which form of the link-local address the router has.
                self._send(nd.build(own, nd.ALL_ROUTERS, nd.RouterSolicitation()), self.locator, router.v4)
            if router.wants_probe(now):
                probe = nd.build(own, router.address, nd.NeighbourSolicitation(router.address))
                self._send(probe, self.locator, router.v4)
        self._prefixes.expire(now)
        self._routes.expire(now)
        self._retire(now)
        self._settle(now)

    def timer(self) -> float | None:
        """The first thing to become due."""
        due = [self._prefixes.next_expiry(), self._routes.next_expiry(), *self._leaving.values()]
        if self.locator:
            due += [min(router.next_rs, router.due) for router in self.routers.values()]
        first = min(due)
        return None if math.isinf(first) else first

    def next_solicitation(self) -> float:
        """When a router is solicited next (infinity: never)."""
        return min((router.next_rs for router in self.routers.values()), default=math.inf)

    # From the underlay

    def _arrived(self, packet: bytes, locator: bytes, peer: bytes, now: float) -> None:
        hosts = self.link.hosts
        if peer not in self.routers and peer not in hosts and len(hosts) < MAX_PEERS:
            self.link.register(peer)
            self._events.append(PeerSeen(peer))

    def _neighbour(
        self, header: ipv6.Ipv6, message: nd.Message, locator: bytes, peer: bytes, now: float
    ) -> None:
        if isinstance(message, nd.RouterAdvertisement):
            self._advertisement(header.src, message, peer, now)
        elif isinstance(message, nd.NeighbourSolicitation):
            answer = answer_solicitation(header, message, self._addresses, router=False)
            if answer is not None:
                self._send(answer, self.locator, peer)
        elif isinstance(message, nd.NeighbourAdvertisement):
            router = self.routers.get(peer)
            if router is not None and message.solicited and message.target == router.address:
                router.confirmed(now, 0.5 + self._random())
                self._settle(now)
        else:
            raise WireError("hosts discard router solicitations (RFC 4861 6.2.6)")

    def _advertisement(self, source: bytes, message: nd.RouterAdvertisement, peer: bytes, now: float) -> None:
        """RFC 5214 8.3.3: only from a router of the list, and with that router's own address as source."""
        router = self.routers.get(peer)
        if router is None or peer in self._leaving or embedded_isatap(source) != peer:
            raise WireError("not from a router of the list")
        router.advertised(source, message, now)
        self._routes.update(peer, message, now)
        for option in message.options:
            if isinstance(option, nd.PrefixInformation) and option.on_link:
                self._prefixes.update(option, now)
            elif isinstance(option, nd.Mtu) and MIN_MTU <= option.mtu <= MAX_MTU and option.mtu != self.mtu:
                self.mtu = option.mtu
                self._events.append(MtuChanged(option.mtu))
        self._retire(now)
        self._settle(now)

    def _undelivered(self, failure: FailedDelivery, now: float) -> None:
        """Doubt the router, and tell the application if enough was quoted (RFC 5214 7.2, RFC 4213 3.4)."""
        if failure.locator != self.locator:
            return
        router = self.routers.get(failure.peer)
        if router is not None:
            router.hint_failure(now)
        if failure.inner[8:24] in self._addresses and (router is not None or answerable(failure)):
            self._tell(failure.inner, self._own_address(), icmpv6.ADDRESS_UNREACHABLE, now)

    # To others

    def _left(self, peer: bytes, size: int, now: float) -> None:
        self.traffic(peer, now)

    def _own_address(self) -> bytes:
        return isatap_link_local(self.locator) if self.locator else b""

    # From what we know to what the kernel should hold

    def _settle(self, now: float) -> None:
        """Compare what should be with what was told, and tell the difference."""
        self._settle_addresses(now)
        routes = {
            Prefix(*prefix): RouteSet(*prefix, v4, self.routers[v4].address, route.preference)
            for prefix, (v4, route) in self._routes.choose(lambda v4: not self.routers[v4].failed).items()
            if self.locator
        }
        for gone in self._installed.keys() - routes.keys():
            self._events.append(slaac.RouteRemoved(*gone))
        self._events += [route for prefix, route in routes.items() if self._installed.get(prefix) != route]
        self._installed = routes
        for v4, router in self.routers.items():
            if self._reach.get(v4) is not router.reach:
                self._reach[v4] = router.reach
                self._events.append(RouterChanged(v4, router.reach))
        self._settle_link()

    def _settle_addresses(self, now: float) -> None:
        wanted: dict[bytes, tuple[float, float]] = {}
        if self.locator:
            link_local = self._own_address()
            wanted[link_local] = math.inf, math.inf
            for entry in self._prefixes:
                wanted[entry.prefix[:8] + link_local[8:]] = entry.valid_until, entry.preferred_until
        for gone in self._addresses.keys() - wanted.keys():
            self._events.append(slaac.AddressRemoved(gone))
        for address, (valid, preferred) in wanted.items():
            if self._addresses.get(address) != (valid, preferred):
                life = slaac.remaining(valid, now) or nd.INFINITE
                self._events.append(AddressSet(address, life, slaac.remaining(preferred, now)))
        self._addresses = wanted

    def _settle_link(self) -> None:
        prefixes = frozenset(entry.prefix for entry in self._prefixes)
        routes = frozenset((prefix, route.router) for prefix, route in self._installed.items())
        state = (self.locator, prefixes, frozenset(self.routers), routes)
        if state != self._told:
            self._told = state
            self.link.configure(
                prefixes=prefixes,
                locators=[self.locator] if self.locator else [],
                routers=self.routers,
                routes=routes,
            )
            self._flows = Flows(self.link)
            self._events.append(LinkChanged())
