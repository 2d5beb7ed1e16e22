"""ISATAP routers and hosts as machines, for transcripts: in, out, then time passes."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from manageout.protocol.core.prefixes import Prefix
from manageout.protocol.isatap.end import TUN, UNDERLAY, Endpoint
from manageout.protocol.isatap.host import Event as HostEvent
from manageout.protocol.isatap.host import IsatapHost
from manageout.protocol.isatap.link import LinkRole, LinkState
from manageout.protocol.isatap.registry import Registry
from manageout.protocol.isatap.router import IsatapRouter, RouterConfig
from manageout.wire import icmpv6, ipv4, ipv6, nd, numbers
from manageout.wire.address import isatap_link_local
from tests.tools.packets import udp

WALL = 1_700_000_000.0


def v4(text: str) -> bytes:
    return IPv4Address(text).packed


def v6(text: str) -> bytes:
    return IPv6Address(text).packed


PREFIX = v6("fd12:3456:789a:1::")
CLIENTS = v6("fd12:3456:789a:1000::")
ROUTER, ROUTER_2, HOST, KIOSK = v4("10.0.0.1"), v4("10.0.0.2"), v4("10.0.1.30"), v4("10.0.1.40")
LAPTOP = v6("fd12:3456:789a:1000::7")
CONFIG = RouterConfig(PREFIX, (ROUTER,), ((CLIENTS, 59),))


def link_local(address: bytes) -> bytes:
    return isatap_link_local(address)


def isatap(address: bytes, prefix: bytes = PREFIX) -> bytes:
    """The ISATAP address of an IPv4 address in a prefix."""
    return prefix[:8] + link_local(address)[8:]


def datagram(src: bytes, dst: bytes, payload: bytes = b"data", **fields: int) -> bytes:
    return ipv6.build(src, dst, numbers.UDP, udp.build(src, dst, 1000, 2000, payload), **fields)


def outer(src: bytes, dst: bytes, inner: bytes, **fields: Any) -> bytes:
    return ipv4.build(src, dst, 41, inner, **fields)


def solicitation(
    src: bytes = HOST,
    dst: bytes = ROUTER,
    *,
    source: bytes | None = None,
    target: bytes = nd.ALL_ROUTERS,
    options: tuple[nd.Option, ...] = (),
) -> bytes:
    """A router solicitation in its outer packet."""
    message = nd.RouterSolicitation(options)
    return outer(src, dst, nd.build(source or link_local(src), target, message))


class RouterSite:
    """A router machine, the time, and what came out of it."""

    def __init__(self, *, random: float = 0.5, **changes: Any) -> None:
        self.now = 1000.0
        self.config = replace(CONFIG, **changes)
        self.registry = Registry(capacity=64)
        self.registry.wall_offset = WALL - self.now
        self.router = IsatapRouter(self.config, self.link(), self.registry, lambda: random)
        self.events: list[object] = []

    def link(self, *allowed: str, routers: tuple[bytes, ...] = ()) -> LinkState:
        networks = allowed or ("10.0.1.30/32", "10.0.2.0/24")
        return LinkState(
            LinkRole.ROUTER,
            prefixes=[self.config.prefix],
            locators=self.config.locators,
            allowed=[Prefix(v4(text.split("/")[0]), int(text.split("/")[1])) for text in networks],
            routers=routers,
        )

    def underlay(self, packet: bytes) -> list[tuple[Endpoint, bytes]]:
        return self._step(packet, UNDERLAY)

    def tun(self, packet: bytes) -> list[tuple[Endpoint, bytes]]:
        return self._step(packet, TUN)

    def _step(self, packet: bytes, source: Endpoint) -> list[tuple[Endpoint, bytes]]:
        self.router.receive(packet, source, self.now)
        self.events += self.router.events()
        return list(self.router.transmit())

    def passes(self, seconds: float) -> list[tuple[Endpoint, bytes]]:
        """Time passes, timer by timer."""
        end = self.now + seconds
        out: list[Any] = []
        while (due := self.router.timer()) is not None and due <= end:
            self.now = max(self.now, due)
            self.router.on_timer(self.now)
            out += self.router.transmit()
        self.now = end
        return out

    def drops(self) -> dict[str, int]:
        return {reason.label: count for reason, count in self.router.drops.totals.items()}


class HostSite:
    """A host machine, the time, and what it told."""

    def __init__(self, *routers: bytes, random: float = 0.5, locator: bytes = HOST) -> None:
        self.now = 1000.0
        self.host = IsatapHost(lambda: random)
        self.host.set_routers(routers, self.now)
        self.host.set_locator(locator, self.now)
        self.told: list[HostEvent] = list(self.host.events())

    def underlay(self, packet: bytes) -> list[tuple[Endpoint, bytes]]:
        return self._step(packet, UNDERLAY)

    def tun(self, packet: bytes) -> list[tuple[Endpoint, bytes]]:
        return self._step(packet, TUN)

    def _step(self, packet: bytes, source: Endpoint) -> list[tuple[Endpoint, bytes]]:
        self.host.receive(packet, source, self.now)
        return list(self.host.transmit())

    def events(self) -> list[HostEvent]:
        return list(self.host.events())

    def passes(self, seconds: float) -> list[tuple[float, bytes]]:
        """Time passes, timer by timer; (when, outer packet) of what was sent."""
        end = self.now + seconds
        out: list[Any] = []
        for _ in range(10_000):
            due = self.host.timer()
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.host.on_timer(self.now)
            out += [(self.now, packet) for _, packet in self.host.transmit()]
        self.now = end
        return out

    def advertise(self, router: bytes = ROUTER, **fields: Any) -> None:
        """A router's advertisement arrives, and it answers the confirmation that follows."""
        self.underlay(outer(router, self.host.locator, self.advertisement(router, **fields)))
        self.confirm(router)

    def advertisement(self, router: bytes = ROUTER, *, source: bytes | None = None, **fields: Any) -> bytes:
        message = replace(CONFIG, **fields).advertisement()
        return nd.build(source or link_local(router), link_local(self.host.locator), message)

    def confirm(self, router: bytes = ROUTER) -> None:
        """Probes that are due go out; the router answers."""
        self.host.on_timer(self.now)
        for _, packet in self.host.transmit():
            if isinstance(inner(packet)[1], nd.NeighbourSolicitation) and packet[16:20] == router:
                answer = nd.NeighbourAdvertisement(link_local(router), router=True, solicited=True)
                reply = nd.build(link_local(router), link_local(self.host.locator), answer)
                self.underlay(outer(router, self.host.locator, reply))

    def drops(self) -> dict[str, int]:
        return {reason.label: count for reason, count in self.host.drops.totals.items()}


def inner(packet: bytes) -> tuple[ipv6.Ipv6, nd.Message]:
    """The Neighbour Discovery message in an outer packet, validated."""
    header, payload = ipv4.parse(packet)
    assert header.protocol == 41 and not header.dont_fragment and header.ttl == 64
    return nd.parse(payload)


def error_of(packet: bytes) -> tuple[int, int, bytes]:
    """(type, code, original packet) of an ICMPv6 error."""
    header, payload = ipv6.parse(packet)
    message = icmpv6.parse(header.src, header.dst, payload)
    return message.type, message.code, message.body[4:]
