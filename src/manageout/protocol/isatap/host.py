"""The ISATAP host (RFC 5214 8.3): solicits the routers of its list, configures addresses and routes, fails over.

The driver resolves names and knows the machine's IPv4 address; it tells by :meth:`IsatapHost.set_routers` and
:meth:`IsatapHost.set_locator`. What the kernel should hold comes out as events. A packet's way is that of
:mod:`manageout.protocol.isatap.router`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from manageout.errors import WireError
from manageout.protocol.core.budget import Budget
from manageout.protocol.core.drop_table import DropTable
from manageout.protocol.core.drops import Drop
from manageout.protocol.core.prefixes import Prefix
from manageout.protocol.host.slaac import INFINITE, PrefixTable, RouteTable, remaining
from manageout.protocol.isatap.errors import answerable, failed_delivery
from manageout.protocol.isatap.flows import Flows
from manageout.protocol.isatap.link import LinkRole, LinkState, Verdict
from manageout.protocol.isatap.nd import MAY_BE_ND, PROTOCOL, TTL, answer_solicitation
from manageout.protocol.isatap.prl import MAX_SOLICITATION_DELAY, PrlRouter, Reach
from manageout.wire import icmpv6, ipv4, nd
from manageout.wire.address import embedded_isatap, isatap_link_local

TUN, UNDERLAY = 0, 1
MIN_MTU, MAX_MTU = 1280, 1480
MAX_PEERS = 4096
"""Other hosts of the link that the fast path is told of; the rest goes the slow path."""
MAX_DROP_SOURCES = 256
HAND_OVER = 12.0
"""Seconds that a router which left the list still serves when no other has advertised: three solicitations."""
LINGER = 2.0
"""Seconds that packets from a router are still taken after another has taken over."""


@dataclass(frozen=True, slots=True)
class AddressSet:
    """Add the address (a /64 is on the link with it) or refresh its lifetimes, in seconds."""

    address: bytes
    valid: int
    preferred: int


@dataclass(frozen=True, slots=True)
class AddressRemoved:
    """The address is no longer ours."""

    address: bytes


@dataclass(frozen=True, slots=True)
class RouteSet:
    """Reach a prefix through a router; ``via`` is its link-local address."""

    prefix: bytes
    length: int
    router: bytes
    via: bytes
    preference: nd.Preference


@dataclass(frozen=True, slots=True)
class RouteRemoved:
    """The prefix is no longer reached through the tunnel."""

    prefix: bytes
    length: int


@dataclass(frozen=True, slots=True)
class RouterChanged:
    """What we think of a router."""

    v4: bytes
    reach: Reach


@dataclass(frozen=True, slots=True)
class MtuChanged:
    """The routers advertise another link MTU, in bytes."""

    mtu: int


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """Prefixes, locator, routers or routes of ``link`` are others now."""


@dataclass(frozen=True, slots=True)
class PeerSeen:
    """Another host of the link talks to us."""

    v4: bytes


Event = (
    AddressSet
    | AddressRemoved
    | RouteSet
    | RouteRemoved
    | RouterChanged
    | MtuChanged
    | LinkChanged
    | PeerSeen
)


class IsatapHost:
    """The machine. ``random`` returns a float in [0, 1)."""

    def __init__(self, random: Callable[[], float], mtu: int = MIN_MTU) -> None:
        self.link = LinkState(LinkRole.HOST)
        self._flows = Flows(self.link)
        self.routers: dict[bytes, PrlRouter] = {}
        self.drops = DropTable(MAX_DROP_SOURCES)
        self.locator = b""
        self.mtu = mtu
        self._random = random
        self._leaving: dict[bytes, float] = {}
        self._prefixes = PrefixTable()
        self._routes: RouteTable[bytes] = RouteTable()
        self._errors = Budget(rate=200.0, burst=50.0)
        self._ident = int(random() * 65536)
        self._out: list[tuple[int, bytes]] = []
        self._events: list[Event] = []
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
                self.routers[v4] = PrlRouter(v4, now + self._random() * MAX_SOLICITATION_DELAY)
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

    # The five verbs

    def receive(self, data: bytes, source: int, now: float) -> None:
        """Take an IPv4 packet from the underlay or an IPv6 packet from the TUN device."""
        if source == TUN:
            self._from_tun(data, now)
        else:
            self._from_underlay(data, now)

    def receive_run(self, first: bytes, source: int, count: int, octets: int, now: float) -> bytes | None:
        """Take ``count`` packets of ``octets`` bytes of IPv6 that are all like ``first`` (``isatap_run``).

        What ``first`` becomes, when it and so all of them just go on; None when they are to come one by one.
        """
        del count, octets
        if source == TUN:
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
        for router in self.routers.values():
            if self.locator and router.wants_solicitation(now):
                # To all routers: we cannot know which form of the link-local address the router has.
                self._send(nd.build(self._link_local(), nd.ALL_ROUTERS, nd.RouterSolicitation()), router.v4)
            if self.locator and router.wants_probe(now):
                probe = nd.NeighbourSolicitation(router.address)
                self._send(nd.build(self._link_local(), router.address, probe), router.v4)
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

    def transmit(self) -> Sequence[tuple[int, bytes]]:
        """IPv4 packets for the underlay, IPv6 packets for the TUN device."""
        out, self._out = self._out, []
        return out

    def events(self) -> Sequence[Event]:
        """What the kernel and the fast path should hold."""
        events, self._events = self._events, []
        return events

    def next_solicitation(self) -> float:
        """When a router is solicited next (infinity: never)."""
        return min((router.next_rs for router in self.routers.values()), default=math.inf)

    # From the underlay

    def _from_underlay(self, outer: bytes, now: float) -> None:
        if len(outer) >= 20 and outer[9] == ipv4.ICMP:
            self._icmp_error(outer, now)
            return
        verdict, reason, packet, peer = self._flows.decapsulate(outer)
        if verdict is not Verdict.FORWARD:
            self.drops.count(reason or Drop.MALFORMED, peer, now)
        elif packet[6] in MAY_BE_ND and nd.message_type(packet) is not None:
            self._neighbour(packet, peer, now)
        else:
            if peer not in self.routers and peer not in self.link.hosts and len(self.link.hosts) < MAX_PEERS:
                self.link.register(peer)
                self._events.append(PeerSeen(peer))
            self._out.append((TUN, packet))

    def _neighbour(self, packet: bytes, peer: bytes, now: float) -> None:
        try:
            header, message = nd.parse(packet)
            if isinstance(message, nd.RouterAdvertisement):
                self._advertisement(header.src, message, peer, now)
            elif isinstance(message, nd.NeighbourSolicitation):
                answer = answer_solicitation(header, message, self._addresses, router=False)
                if answer is not None:
                    self._send(answer, peer)
            elif isinstance(message, nd.NeighbourAdvertisement):
                router = self.routers.get(peer)
                if router is not None and message.solicited and message.target == router.address:
                    router.confirmed(now, 0.5 + self._random())
                    self._settle(now)
            else:
                raise WireError("hosts discard router solicitations (RFC 4861 6.2.6)")
        except WireError:
            self.drops.count(Drop.ND_INVALID, peer, now)

    def _advertisement(self, source: bytes, message: nd.RouterAdvertisement, peer: bytes, now: float) -> None:
        """RFC 5214 8.3.2: only from a router of the list, and with that router's own address as source."""
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

    def _icmp_error(self, outer: bytes, now: float) -> None:
        """Doubt the router, and tell the application if enough was quoted (RFC 5214 7.2, RFC 4213 3.4)."""
        try:
            failure = failed_delivery(outer)
        except WireError:
            self.drops.count(Drop.MALFORMED, outer[12:16], now)
            return
        if failure is None or failure.locator != self.locator:
            return
        router = self.routers.get(failure.peer)
        if router is not None:
            router.hint_failure(now)
        if failure.inner[8:24] in self._addresses and (router is not None or answerable(failure)):
            self._refuse(failure.inner, icmpv6.ADDRESS_UNREACHABLE, now)

    # From the TUN device

    def _from_tun(self, packet: bytes, now: float) -> None:
        self._ident = ident = self._ident + 1 & 0xFFFF
        verdict, reason, outer, peer = self._flows.encapsulate(packet, ident)
        if verdict is Verdict.FORWARD:
            self._out.append((UNDERLAY, outer))
            self.traffic(peer, now)
            return
        if packet[24:25] == b"\xff":
            return  # the kernel's own listener reports; this link has no multicast (RFC 5214 6.3)
        self.drops.count(reason or Drop.MALFORMED, peer, now)
        if reason is Drop.NO_NEIGHBOUR:
            self._refuse(packet, icmpv6.ADDRESS_UNREACHABLE, now)

    def _refuse(self, original: bytes, code: int, now: float) -> None:
        if self._errors.take(now):
            error = icmpv6.unreachable(self._link_local(), original[8:24], code, original)
            if error is not None:
                self._out.append((TUN, error))

    def _send(self, packet: bytes, peer: bytes) -> None:
        """Encapsulate a packet of our own."""
        self._ident = ident = self._ident + 1 & 0xFFFF
        self._out.append((UNDERLAY, ipv4.build(self.locator, peer, PROTOCOL, packet, ttl=TTL, ident=ident)))

    def _link_local(self) -> bytes:
        return isatap_link_local(self.locator)

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
            self._events.append(RouteRemoved(*gone))
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
            link_local = self._link_local()
            wanted[link_local] = math.inf, math.inf
            for entry in self._prefixes:
                wanted[entry.prefix[:8] + link_local[8:]] = entry.valid_until, entry.preferred_until
        for gone in self._addresses.keys() - wanted.keys():
            self._events.append(AddressRemoved(gone))
        for address, (valid, preferred) in wanted.items():
            if self._addresses.get(address) != (valid, preferred):
                life = remaining(valid, now) or INFINITE
                self._events.append(AddressSet(address, life, remaining(preferred, now)))
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
                allowed=[],
                routers=self.routers,
                routes=routes,
            )
            self._flows = Flows(self.link)
            self._events.append(LinkChanged())
