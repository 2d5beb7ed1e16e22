"""The ISATAP router (RFC 5214 8.2): advertisements, neighbours, errors and the slow path of the data.

A packet's way is that of :mod:`manageout.protocol.isatap.end`, but for a solicitation of the usual shape, which takes a
fast lane and gets its answer 0 to 0.5 s later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import ClassVar, NamedTuple

from manageout.errors import WireError
from manageout.protocol.core.drops import Drop, Verdict
from manageout.protocol.core.prefixes import Prefix
from manageout.protocol.isatap.advertising import Advertiser
from manageout.protocol.isatap.end import TUN, UNDERLAY, Endpoint, IsatapEnd
from manageout.protocol.isatap.errors import FailedDelivery, answerable
from manageout.protocol.isatap.flows import Flows
from manageout.protocol.isatap.link import LinkState
from manageout.protocol.isatap.nd import answer_solicitation, is_plain_solicitation, link_local_forms
from manageout.protocol.isatap.registry import Registry
from manageout.wire import icmpv6, ipv4, ipv6, nd
from manageout.wire.address import embedded_isatap, isatap_link_local

HOP_LIMIT = 64
MAX_WITHDRAWN = 8
"""Routes that one advertisement takes back; the oldest make room, and end with their lifetime."""


@dataclass(frozen=True)
class RouterConfig:
    """What the router advertises. Prefixes: (16 bytes, length). Times in seconds."""

    prefix: bytes
    locators: tuple[bytes, ...]
    advertised: tuple[tuple[bytes, int], ...]
    retired: tuple[bytes, ...] = ()
    """/64 prefixes that hosts may still hold: advertised with lifetime 0, so that they let go."""
    withdrawn: tuple[tuple[bytes, int], ...] = ()
    """Routes that hosts may still have: the same."""
    preference: nd.Preference = nd.Preference.MEDIUM
    default_route: bool = False
    router_lifetime: int = 1800
    valid: int = 86400
    preferred: int = 14400
    mtu: int = 1280
    rs_per_second: int = 100000
    max_drop_sources: int = 4096

    def advertisement(self, farewell: bool = False) -> nd.RouterAdvertisement:
        """The Router Advertisement; ``farewell`` is the one with every lifetime 0 (RFC 4861 6.2.5)."""
        lifetime = 0 if farewell else self.router_lifetime
        valid, preferred = (0, 0) if farewell else (self.valid, self.preferred)
        routes = {route: lifetime for route in self.advertised} | dict.fromkeys(self.withdrawn, 0)
        return nd.RouterAdvertisement(
            hop_limit=HOP_LIMIT,
            preference=self.preference,
            router_lifetime=lifetime if self.default_route else 0,
            options=(
                nd.Mtu(self.mtu),
                nd.PrefixInformation(self.prefix, 64, True, True, valid, preferred),
                *(nd.PrefixInformation(prefix, 64, True, True, 0, 0) for prefix in self.retired),
                *(nd.RouteInformation(*route, self.preference, life) for route, life in routes.items()),
            ),
        )

    def after(self, before: RouterConfig) -> RouterConfig:
        """The same, and what ``before`` advertised and we do not is taken back."""
        gone = [route for route in before.advertised if route not in self.advertised]
        older = [route for route in before.withdrawn if route not in self.advertised and route not in gone]
        return replace(self, withdrawn=(*gone, *older)[:MAX_WITHDRAWN])


class HostSeen(NamedTuple):
    """A host that is new, or that now talks to another locator of ours."""

    v4: bytes
    locator: bytes


class HostForgotten(NamedTuple):
    """A host left the registry."""

    v4: bytes


Event = HostSeen | HostForgotten


class IsatapRouter(IsatapEnd[Event]):
    """The machine. ``random`` returns a float in [0, 1)."""

    told: ClassVar = {
        Drop.NO_NEIGHBOUR: icmpv6.ADDRESS_UNREACHABLE,
        Drop.HOST_NOT_ALLOWED: icmpv6.PROHIBITED,
        Drop.SOURCE_ILLEGAL: icmpv6.POLICY,
    }

    def __init__(
        self, config: RouterConfig, link: LinkState, registry: Registry, random: Callable[[], float]
    ) -> None:
        super().__init__(link, random, config.max_drop_sources)
        self.registry = registry
        self.solicitations = 0
        self.advertisements = 0
        self._advertiser = Advertiser(random)
        self.retires = self._advertiser.retires
        self._second, self._in_second = 0, 0
        self._now = 0.0
        self.configure(config, link)

    def configure(self, config: RouterConfig, link: LinkState) -> None:
        """Start to use another configuration; ``link`` learns the hosts of the registry that it allows."""
        self.config, self.link, self._flows = config, link, Flows(link)
        farewell = config.advertisement(farewell=True)
        self._advertiser.configure(config.locators, config.advertisement(), farewell)
        self._solicited = {
            locator: frozenset((nd.ALL_ROUTERS, *link_local_forms(locator))) for locator in config.locators
        }
        self._addresses = {
            locator: config.prefix[:8] + isatap_link_local(locator)[8:] for locator in config.locators
        }
        forms = chain.from_iterable(map(link_local_forms, config.locators))
        self._own = frozenset((*forms, *self._addresses.values()))
        self.drops.max_sources = config.max_drop_sources
        for v4 in self.registry.hosts:
            if v4 not in link.hosts:
                link.register(v4)
        self._forget(self.registry.evicted())

    def retire(self, networks: Iterable[Prefix], now: float) -> None:
        """From now on the hosts in these IPv4 ``networks`` are told to let go, and no others.

        What they send is still forwarded. Known hosts that begin or cease to retire are told at once.
        """
        before = set(self.retiring())
        self._advertiser.retire(networks)
        changed = before.symmetric_difference(self.retiring())
        records = (self.registry.record(v4) for v4 in changed if self.link.refusal(v4) is None)
        names = [record.interface_id() for record in records if record is not None]
        self._advertiser.tell([name + locator for name in names for locator in self.config.locators], now)

    def announce(self, now: float) -> None:
        """The advertisement has changed: tell every host that may have the old one, at a bounded pace."""
        self._advertiser.announce(self._everybody, now)

    def _everybody(self) -> Iterator[bytes]:
        """A host of which nothing was heard for a prefix's lifetime has nothing of ours any more."""
        for v4 in list(self.registry.hosts):
            record, locator = self.registry.record(v4), self.link.hosts.get(v4)
            if record is None or locator is None or self.link.refusal(v4) is not None:
                continue
            oldest = self.registry.wall_offset + self._now - self.config.valid
            if max(record.last_rs, record.last_packet) >= oldest:
                yield record.interface_id() + locator

    def retiring(self) -> Iterator[bytes]:
        """The hosts of the registry that are told to let go."""
        return filter(self.retires, self.registry.hosts)

    # Input, time and output

    def receive_run(self, first: bytes, source: Endpoint, count: int, size: int, now: float) -> bytes | None:
        """See :class:`IsatapEnd`."""
        if source is TUN:
            verdict, _, packet, peer = self._flows.encapsulate(first, 0)
            if verdict is not Verdict.FORWARD:
                return None
            self.registry.sent(peer, size, count)
            return packet
        verdict, _, packet, peer = self._flows.decapsulate(first)
        if verdict is not Verdict.FORWARD or self.link.hosts.get(peer) != first[16:20]:
            return None
        self.registry.received(peer, size, now, count)
        return packet

    def on_timer(self, now: float) -> None:
        """Send the advertisements that are due, forget old hosts."""
        self._now = now
        for key in self._advertiser.due(now):
            self._advertise(key)
        self._forget(self.registry.clear_old(now))

    def timer(self) -> float | None:
        """When the next advertisement is due."""
        return self._advertiser.timer()

    def farewell(self, within: float, now: float) -> None:
        """Tell the hosts seen in the last ``within`` seconds that everything is gone (RFC 4861 6.2.5)."""
        for host in self.registry.active(within, now):
            for locator in self.config.locators:
                self._advertise(host.interface_id() + locator, farewell=True)

    # From the underlay

    def _from_underlay(self, outer: bytes, now: float) -> None:
        locator = outer[16:20]
        if (
            is_plain_solicitation(outer)
            and outer[44:60] in self._solicited.get(locator, ())
            and self.link.refusal(outer[12:16]) is None
        ):
            self._solicitation(outer[36:44], locator, now)
        else:
            super()._from_underlay(outer, now)

    def _dropped(self, reason: Drop | None, outer: bytes, now: float) -> None:
        if reason is Drop.SOURCE_MISMATCH:
            self._stale_source(outer, now)

    def _arrived(self, packet: bytes, locator: bytes, peer: bytes, now: float) -> None:
        self.registry.received(peer, len(packet), now)
        self._meet(peer, locator)

    def _meet(self, peer: bytes, locator: bytes) -> None:
        """See that the link knows a host that the registry knows, and its locator; forget who made way for it."""
        self._forget(self.registry.evicted())
        before = self.link.hosts.get(peer)
        if before != locator:
            self.link.register(peer, locator)
            if locator != (before or self.config.locators[0]):
                self._flows = Flows(self.link)
            self._events.append(HostSeen(peer, locator))

    def _forget(self, hosts: list[bytes]) -> None:
        for v4 in hosts:
            self.link.forget(v4)
            self._events.append(HostForgotten(v4))

    # Neighbour Discovery

    def _neighbour(
        self, header: ipv6.Ipv6, message: nd.Message, locator: bytes, peer: bytes, now: float
    ) -> None:
        if isinstance(message, nd.RouterSolicitation):
            if header.src == nd.UNSPECIFIED or header.dst not in self._solicited[locator]:
                raise WireError("nobody to answer, or not for us")
            self._solicitation(header.src[8:], locator, now)
        elif isinstance(message, nd.NeighbourSolicitation):
            # A sign of life, and no traffic: that is how one sees which hosts have let go.
            self.registry.received(peer, 0, now, 0)
            self._meet(peer, locator)
            answer = answer_solicitation(header, message, self._own, router=True)
            if answer is not None:
                self._send(answer, locator, peer)
        # Advertisements: other routers' and our neighbours' need no answer (RFC 4861 6.2.7, 7.2.5).

    def _solicitation(self, identifier: bytes, locator: bytes, now: float) -> None:
        """Note that a host is to be answered. ``identifier`` is its interface identifier (8 bytes)."""
        v4 = identifier[4:]
        second = int(now)
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        if self._in_second > self.config.rs_per_second:
            self.drops.count(Drop.RATE_LIMITED, v4, now)
            return
        self.registry.solicited(v4, identifier[0] == 2, now)
        self._meet(v4, locator)
        self.solicitations += 1
        self._advertiser.answer(identifier + locator, now)

    def _advertise(self, key: bytes, farewell: bool = False) -> None:
        packet = self._advertiser.build(key, self._next_ident(), farewell)
        if packet is not None:
            self._out.append((UNDERLAY, packet))
            self.advertisements += 1
            self.registry.sent(key[4:8], len(packet) - ipv4.HEADER_LENGTH)

    # Errors

    def _stale_source(self, outer: bytes, now: float) -> None:
        """Answer a host that still uses an address of another prefix.

        Its identifier embeds its IPv4 address, so it is who it says it is. RFC 7084 L-14 (for a prefix that
        is no longer valid) and RFC 4443 3.1: Destination Unreachable, code 5, which makes the host try
        another source. For a prefix that this router itself has retired, an advertisement with lifetime 0 as
        well (RFC 7084 L-13).
        """
        inner, peer, locator = outer[20:], outer[12:16], outer[16:20]
        source = inner[8:24]
        if outer[0] != 0x45 or locator not in self._addresses or embedded_isatap(source) != peer:
            return
        if not self._errors.take(now):
            return
        error = icmpv6.unreachable(self._addresses[locator], source, icmpv6.POLICY, inner)
        if error is not None:
            self._send(error, locator, peer)
        if source[:8] + bytes(8) in self.config.retired:
            self._solicitation(source[8:], locator, now)

    def _undelivered(self, failure: FailedDelivery, now: float) -> None:
        """RFC 4213 3.4: tell the inner source that the host cannot be reached, if enough was quoted."""
        source = self._addresses.get(failure.locator)
        if source is None or not answerable(failure):
            return
        if self.link.refusal(failure.peer) is None:  # else we have sent it nothing: the quotation is invented
            self._tell(failure.inner, source, icmpv6.ADDRESS_UNREACHABLE, now)

    # To hosts

    def _left(self, peer: bytes, size: int, now: float) -> None:
        self.registry.sent(peer, size)

    def _own_address(self) -> bytes:
        return self._addresses[self.config.locators[0]]

    def _send(self, packet: bytes, locator: bytes, peer: bytes) -> None:
        super()._send(packet, locator, peer)
        self.registry.sent(peer, len(packet))
