"""Drivers for the machines of a client and of an ISATAP host: what a gateway or router may make them do."""

from __future__ import annotations

from manageout.protocol.iphttps.client import IpHttpsClient
from manageout.protocol.iphttps.values import (
    ADDRESS_HEADER,
    FRAMING_HEADER,
    SERVER,
    TUN,
    AddressAdded,
    ClientConfig,
    RouteAdded,
)
from manageout.protocol.isatap import end
from manageout.protocol.isatap.end import UNDERLAY
from manageout.protocol.isatap.host import AddressSet, IsatapHost, RouteSet
from manageout.wire import icmpv4, ipv4, ipv6, nd, numbers
from manageout.wire.address import isatap_link_local
from manageout.wire.iphttps import build_record, build_response
from manageout.wire.virtio import VNET_HEADER
from tests.fuzz import repair
from tests.fuzz.engine import Target
from tests.fuzz.isatap import CLIENTS, HOST, LINK, LOCATOR, SIBLING, v6
from tests.tools.machines.framer import PacketFramer
from tests.tools.packets import udp

OPTIONS = (
    nd.Mtu(1400),
    nd.PrefixInformation(LINK, 64, True, True, 86400, 14400),
    nd.RouteInformation(CLIENTS.address, CLIENTS.length, nd.Preference.HIGH, 1800),
    nd.RouteInformation(bytes(16), 0, nd.Preference.LOW, 600),
    nd.Rdnss(600, (v6("fd00::53"),)),
)
ADVERTISEMENT = nd.RouterAdvertisement(64, options=OPTIONS)
FAREWELL = nd.RouterAdvertisement(
    options=(
        nd.PrefixInformation(LINK, 64, True, True, 0, 0),
        nd.RouteInformation(*CLIENTS, nd.Preference.HIGH, 0),
    )
)


def _usable(address: bytes) -> bool:
    """What a kernel takes as an address of a device."""
    return address[0] != 0xFF and any(address[:15])


# --- ISATAP host ----------------------------------------------------------------------------------------

HOST_LL, ROUTER_LL, SIBLING_LL = map(isatap_link_local, (HOST, LOCATOR, SIBLING))
HOST6 = LINK[:8] + HOST_LL[8:]
CLIENT6 = CLIENTS.address[:15] + b"\7"


def _datagram(source: bytes, target: bytes) -> bytes:
    return ipv6.build(source, target, numbers.UDP, udp.build(source, target, 1000, 2000, b"data"))


def _outer(source: bytes, inner: bytes) -> bytes:
    return ipv4.build(source, HOST, numbers.PROTOCOL_41, inner)


TO_HOST = [
    _outer(LOCATOR, nd.build(ROUTER_LL, HOST_LL, ADVERTISEMENT)),
    _outer(SIBLING, nd.build(SIBLING_LL, HOST_LL, ADVERTISEMENT)),
    _outer(LOCATOR, nd.build(ROUTER_LL, HOST_LL, FAREWELL)),
    _outer(LOCATOR, nd.build(ROUTER_LL, HOST_LL, nd.NeighbourAdvertisement(ROUTER_LL, True, True))),
    _outer(LOCATOR, nd.build(ROUTER_LL, HOST_LL, nd.NeighbourSolicitation(HOST_LL))),
    _outer(LOCATOR, _datagram(CLIENT6, HOST6)),
    ipv4.build(
        LOCATOR, HOST, 1, icmpv4.unreachable(1, ipv4.build(HOST, LOCATOR, 41, _datagram(HOST6, CLIENT6)))
    ),
]


def _isatap_host() -> IsatapHost:
    """With two routers, one of which has advertised."""
    host = IsatapHost(lambda: 0.5)
    host.set_locator(HOST, 100.0)
    host.set_routers([LOCATOR, SIBLING], 100.0)
    host.on_timer(101.0)
    host.receive(TO_HOST[0], UNDERLAY, 101.0)
    host.transmit()
    host.events()
    return host


def _live(host: IsatapHost) -> None:
    now = 102.0
    for _ in range(6):
        due = host.timer()
        if due is None:
            break
        assert due >= now - 60, "the timer does not move on"
        now = max(now, due)
        host.on_timer(now)
    for event in host.events():
        if isinstance(event, AddressSet):
            assert _usable(event.address) and event.preferred <= event.valid
        elif isinstance(event, RouteSet):
            assert event.router in (LOCATOR, SIBLING) and event.via[8:12] in (
                b"\0\0\x5e\xfe",
                b"\2\0\x5e\xfe",
            )
    for endpoint, packet in host.transmit():
        if endpoint == UNDERLAY:
            outer, inner = ipv4.parse(packet)
            assert outer.src == HOST
            packet = inner
        ipv6.parse(packet)
    assert 1280 <= host.mtu <= 1480
    assert set(host.routers) == {LOCATOR, SIBLING}


def isatap_host_underlay(data: bytes) -> None:
    """Any IPv4 packet."""
    host = _isatap_host()
    host.receive(data, UNDERLAY, 102.0)
    _live(host)


def isatap_host_tun(data: bytes) -> None:
    """Any packet of the kernel."""
    host = _isatap_host()
    host.receive(data, end.TUN, 102.0)
    _live(host)


# --- IP-HTTPS client ------------------------------------------------------------------------------------

GATEWAY_LL, ON_LINK = v6("fe80::1"), v6("fd12:3456:789a:1000::")
IDENTIFIER = bytes.fromhex("1234000000000001")
MINE, MINE_LL = ON_LINK[:8] + IDENTIFIER, GATEWAY_LL[:8] + IDENTIFIER
FIXED = v6("fd12:3456:789a:1000::77")
RA = nd.build(
    GATEWAY_LL,
    nd.ALL_NODES,
    nd.RouterAdvertisement(
        64, options=(nd.PrefixInformation(ON_LINK, 64, True, True, 86400, 14400), *OPTIONS[2:])
    ),
)
SAID = [
    RA,
    nd.build(GATEWAY_LL, MINE_LL, nd.NeighbourSolicitation(MINE_LL)),
    nd.build(MINE, nd.ALL_NODES, nd.NeighbourAdvertisement(MINE)),
    nd.build(nd.UNSPECIFIED, nd.solicited_node(MINE), nd.NeighbourSolicitation(MINE)),
    _datagram(HOST6, MINE),
    _datagram(HOST6, FIXED),
]
DATE = "Sun, 10 Aug 2008 03:51:52 GMT"
ANSWER = build_response("s", DATE)
OWN_ANSWER = build_response("s", DATE, [(FRAMING_HEADER, "1"), (ADDRESS_HEADER, "fd12:3456:789a:1000::77")])
SUPER = bytes.fromhex("0105 3000 0200 2800 0600") + _datagram(HOST6, MINE)
HEARD = [
    ANSWER + b"".join(SAID),
    ANSWER + RA + b"".join(SAID[::-1]),
    build_response("s", DATE, [("Transfer-Encoding", "chunked")])
    + b"".join(b"%x\r\n%b\r\n" % (len(packet), packet) for packet in SAID),
    OWN_ANSWER
    + b"".join(build_record(0, packet) for packet in SAID)
    + build_record(1, SUPER)
    + build_record(2, b"x"),
]


def _client(config: ClientConfig) -> IpHttpsClient:
    client = IpHttpsClient(
        config, lambda subnet, duplicates: IDENTIFIER[:7] + bytes((1 + duplicates,)), lambda: 0.5
    )
    client.enable(100.0)
    client.connected(100.0)
    return client


def _served(client: IpHttpsClient, own: bool) -> None:
    """Let time pass, and judge what came out."""
    now = 102.0
    for _ in range(6):
        due = client.timer()
        if due is None:
            break
        now = max(now, due)
        client.on_timer(now)
    for event in client.events():
        if isinstance(event, AddressAdded):
            assert _usable(event.address) and event.preferred <= event.valid
        elif isinstance(event, RouteAdded):
            assert 0 <= event.length <= 128
    header = VNET_HEADER if own else 0
    for endpoint, chunks in client.transmit():
        if endpoint == TUN:
            for chunk in chunks:
                packet, _ = ipv6.parse(chunk[header:])
                assert packet.src[0] != 0xFF
        else:
            assert endpoint == SERVER
            stream = b"".join(chunks)
            if stream.startswith(b"POST"):
                stream = stream.partition(b"\r\n\r\n")[2]
            if not own:
                framer = PacketFramer(65575)
                framer.feed(stream)
                assert not framer.pending
    client.drop_totals()


def _hear(data: bytes, config: ClientConfig) -> None:
    client = _client(config)
    cut = data[-1] * 7 % len(data) if data else 0
    client.receive(data[:cut], SERVER, 101.0)
    client.on_timer(102.5)  # duplicate detection ends, and addresses are assigned
    client.receive(data[cut:], SERVER, 103.0)
    client.from_kernel([bytes(VNET_HEADER if config.vnet_hdr else 0) + _datagram(MINE, HOST6)], 103.0)
    _served(client, config.vnet_hdr)


def client_stock(data: bytes) -> None:
    """A server's stream, to a client that asks for nothing."""
    _hear(data, ClientConfig("gateway.example", own_framing=False))


def client_own(data: bytes) -> None:
    """A server's stream, to a client that asks for larger framing."""
    _hear(data, ClientConfig("gateway.example", vnet_hdr=True))


def client_packets(data: bytes) -> None:
    """One packet in its framing, after an advertisement: the input is the packet."""
    repaired = bytearray(data)
    repair.repair_ipv6(repaired)
    client = _client(ClientConfig("gateway.example"))
    client.receive(ANSWER + RA, SERVER, 101.0)
    client.on_timer(103.0)
    client.receive(bytes(repaired), SERVER, 103.0)
    _served(client, own=False)


TARGETS = [
    Target("isatap_host_underlay", isatap_host_underlay, TO_HOST, repair.repair_tunnelled, ()),
    Target(
        "isatap_host_tun",
        isatap_host_tun,
        [_datagram(HOST6, CLIENT6), _datagram(HOST6, HOST6)],
        repair.repair_ipv6,
        (),
    ),
    Target("iphttps_client_stock", client_stock, HEARD, refuses=()),
    Target("iphttps_client_own", client_own, HEARD[::-1], refuses=()),
    Target("iphttps_client_packets", client_packets, SAID, repair.repair_nd, ()),
]
