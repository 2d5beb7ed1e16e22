"""Drivers for the ISATAP link and router: nothing that arrives may raise, and no rule may be talked round."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address

from manageout.protocol.core.drops import Verdict
from manageout.protocol.core.prefixes import Prefix
from manageout.protocol.isatap.end import TUN, UNDERLAY
from manageout.protocol.isatap.link import LinkRole, LinkState, Result
from manageout.protocol.isatap.registry import Registry
from manageout.protocol.isatap.router import IsatapRouter, RouterConfig
from manageout.wire import icmpv4, ipv4, ipv6, nd, numbers
from manageout.wire.address import isatap_link_local
from tests.fuzz import repair
from tests.fuzz.engine import Target
from tests.tools.packets import udp


def v6(text: str) -> bytes:
    """16 bytes."""
    return IPv6Address(text).packed


LOCATOR, SIBLING = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
HOST, STRANGER = bytes((10, 0, 1, 30)), bytes((10, 0, 1, 40))
LINK = v6("fd12:3456:789a:1::")
CLIENTS = Prefix(v6("fd12:3456:789a:1000::"), 59)
CLIENT = v6("fd12:3456:789a:1000::7")
HOST6 = LINK[:8] + isatap_link_local(HOST)[8:]


def _datagram(source: bytes, target: bytes, traffic_class: int = 0) -> bytes:
    payload = udp.build(source, target, 1000, 2000, b"data")
    return ipv6.build(source, target, numbers.UDP, payload, traffic_class=traffic_class)


def _in_ipv4(source: bytes, inner: bytes, tos: int = 0) -> bytes:
    return ipv4.build(source, LOCATOR, numbers.PROTOCOL_41, inner, tos=tos)


def _solicitations(v4: bytes) -> list[bytes]:
    source, target = isatap_link_local(v4), isatap_link_local(LOCATOR)
    return [
        nd.build(source, nd.ALL_ROUTERS, nd.RouterSolicitation()),
        nd.build(source, target, nd.RouterSolicitation()),
        nd.build(source, target, nd.NeighbourSolicitation(target)),
        nd.build(source, target, nd.NeighbourAdvertisement(source, solicited=True)),
        nd.build(nd.UNSPECIFIED, nd.solicited_node(source), nd.NeighbourSolicitation(source)),
    ]


LOOP = v6("2001:db8:66::5efe:10.0.0.1")
ARRIVING = [
    *(_in_ipv4(HOST, packet) for packet in _solicitations(HOST)),
    *(_in_ipv4(STRANGER, packet) for packet in _solicitations(STRANGER)[:1]),
    *(_in_ipv4(HOST, _datagram(HOST6, CLIENT, mark), tos) for mark, tos in ((0, 0), (2, 3), (0, 3))),
    _in_ipv4(HOST, _datagram(HOST6, LOOP)),
    _in_ipv4(SIBLING, _datagram(CLIENT, HOST6)),
    ipv4.build(
        HOST,
        LOCATOR,
        numbers.ICMP,
        icmpv4.unreachable(1, ipv4.build(LOCATOR, HOST, 41, _datagram(CLIENT, HOST6))),
    ),
]
LEAVING = [
    _datagram(CLIENT, HOST6),
    _datagram(CLIENT, HOST6, 1),
    _datagram(LOOP, HOST6),
    _datagram(HOST6, CLIENT),
]
LEAVING += [_datagram(CLIENT, LINK[:15] + b"\7"), nd.build(CLIENT, HOST6, nd.NeighbourSolicitation(HOST6))]


def _link(role: LinkRole) -> LinkState:
    state = LinkState(
        role,
        prefixes=[LINK],
        locators=[LOCATOR],
        allowed=[Prefix(HOST, 32)],
        routers=[SIBLING],
        routes=[(CLIENTS, SIBLING)] if role is LinkRole.HOST else [],
    )
    state.register(HOST, LOCATOR)
    return state


LINKS = [_link(role) for role in LinkRole]


def _consistent(decide: Callable[[bool], Result]) -> Result:
    """What the fast path decides, the slow path decides alike; and the slow path always decides."""
    fast, slow = decide(False), decide(True)
    assert slow.verdict is not Verdict.SLOW
    assert fast.verdict is Verdict.SLOW or fast == slow, (fast, slow)
    assert (slow.verdict is Verdict.DROP) == (slow.reason is not None)
    return slow


def decapsulate(data: bytes) -> None:
    """What is let in is IPv6 and belongs to the IPv4 source."""
    for link in LINKS:
        result = _consistent(lambda complete, link=link: link.decapsulate(data, complete))  # type: ignore[misc]
        if result.verdict is Verdict.FORWARD:
            inner, _ = ipv6.parse(result.packet)
            outer, _ = ipv4.parse(data)
            assert outer.src == result.peer and outer.dst == LOCATOR and not outer.is_fragment
            assert inner.src[12:] == outer.src or (link.role is LinkRole.HOST and outer.src == SIBLING)
            assert not (outer.tos & 3 == 3 and data[20 + len(outer.options) + 1] >> 4 & 3 == 0)


def encapsulate(data: bytes) -> None:
    """What is sent out is protocol 41 in a right header, to a host that is allowed."""
    for link in LINKS:
        result = _consistent(lambda complete, link=link: link.encapsulate(data, 7, complete))  # type: ignore[misc]
        if result.verdict is Verdict.FORWARD:
            outer, inner = ipv4.parse(result.packet)
            assert (outer.src, outer.dst, outer.protocol) == (LOCATOR, result.peer, numbers.PROTOCOL_41)
            assert outer.dst == HOST or link.role is LinkRole.HOST
            assert data.startswith(inner) and ipv6.parse(inner)


def _router() -> IsatapRouter:
    config = RouterConfig(LINK, (LOCATOR,), (CLIENTS,))
    return IsatapRouter(config, _link(LinkRole.ROUTER), Registry(capacity=100), lambda: 0.5)


def _settle_router(router: IsatapRouter) -> None:
    """Let everything happen that was set off, and judge what was sent."""
    router.on_timer(102.0)
    router.events()
    for endpoint, packet in router.transmit():
        if endpoint == UNDERLAY:
            outer, inner = ipv4.parse(packet)
            assert outer.src == LOCATOR and outer.dst == HOST and outer.protocol == numbers.PROTOCOL_41
            ipv6.parse(inner)
        else:
            ipv6.parse(packet)
    assert router.timer() is None or router.timer() != 0


def router_underlay(data: bytes) -> None:
    """Any IPv4 packet: the router answers nobody but the one host that is allowed."""
    router = _router()
    router.receive(data, UNDERLAY, 100.0)
    _settle_router(router)
    assert set(router.registry.hosts) <= {HOST}


def router_tun(data: bytes) -> None:
    """Any packet of the kernel."""
    router = _router()
    router.receive(data, TUN, 100.0)
    _settle_router(router)


TARGETS = [
    Target("isatap_decapsulate", decapsulate, ARRIVING, repair.repair_tunnelled, ()),
    Target("isatap_encapsulate", encapsulate, LEAVING, repair.repair_ipv6, ()),
    Target("isatap_router_underlay", router_underlay, ARRIVING, repair.repair_tunnelled, ()),
    Target("isatap_router_tun", router_tun, LEAVING, repair.repair_ipv6, ()),
]
