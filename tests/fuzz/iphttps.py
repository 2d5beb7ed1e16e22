"""Drivers for the IP-HTTPS server: nothing that a client sends may raise, and no rule may be talked round."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network

from manageout.errors import WireError
from manageout.protocol.iphttps.server import IpHttpsServer
from manageout.protocol.iphttps.values import FRAMING_HEADER, TUN, Peer, ServerConfig
from manageout.protocol.offload.cut import segment
from manageout.protocol.offload.join import StockStream
from manageout.wire import ipv6, nd, numbers, tcp
from manageout.wire.iphttps import (
    KEEPALIVE,
    PACKET,
    SUPER_PACKET,
    OwnFramer,
    build_record,
    build_request,
)
from manageout.wire.virtio import VNET_HEADER
from tests.fuzz import repair
from tests.fuzz.engine import Target
from tests.fuzz.wire import cuts, outcome
from tests.tools.machines.framer import PacketFramer
from tests.tools.packets import udp


def v6(text: str) -> bytes:
    """16 bytes."""
    return IPv6Address(text).packed


GATEWAY_LL, GATEWAY, BEYOND = v6("fe80::1"), v6("2001:db8:ff::1"), v6("2001:db8:1::1")
MINE, MINE_LL, THEIRS = v6("2001:db8:ff:0:1::1"), v6("fe80::1:0:0:1"), v6("2001:db8:ff:0:2::2")
STOCK = ServerConfig(
    prefix=IPv6Network("2001:db8:ff::/64"),
    link_local=IPv6Address(GATEWAY_LL),
    address=IPv6Address(GATEWAY),
    routes=(IPv6Network("2001:db8:1::/48"),),
    hairpin=True,
)
NONE = replace(STOCK, mode="none", hairpin=False)
OWN = replace(STOCK, vnet_hdr=True)
REQUEST = build_request("/IPHTTPS", "gateway.example")
OWN_REQUEST = build_request("/IPHTTPS", "gateway.example", [(FRAMING_HEADER, "1")])
ME, OTHER = 1, 2


# --- What clients say -----------------------------------------------------------------------------------


def _datagram(source: bytes, target: bytes, payload: bytes = b"data") -> bytes:
    return ipv6.build(source, target, numbers.UDP, udp.build(source, target, 1000, 2000, payload))


def _dad(target: bytes) -> bytes:
    return nd.build(nd.UNSPECIFIED, nd.solicited_node(target), nd.NeighbourSolicitation(target))


TALK = [
    _dad(MINE_LL),
    nd.build(MINE_LL, nd.ALL_ROUTERS, nd.RouterSolicitation()),
    _dad(MINE),
    _dad(THEIRS),
    nd.build(MINE, GATEWAY, nd.NeighbourSolicitation(GATEWAY)),
    nd.build(MINE, nd.ALL_NODES, nd.NeighbourAdvertisement(MINE)),
    nd.build(GATEWAY_LL, nd.ALL_NODES, nd.RouterAdvertisement(router_lifetime=1800)),
    _datagram(MINE, BEYOND),
    _datagram(THEIRS, BEYOND),
    _datagram(MINE, THEIRS),
    _datagram(MINE, GATEWAY),
    _datagram(MINE_LL, v6("ff02::fb")),
    ipv6.build(MINE, BEYOND, numbers.ROUTING, bytes.fromhex("1100000100000000") + bytes(8)),
]
_TCP = bytes.fromhex("04d20050 00000001 00000001 5010ffff 00000000")
# virtio_net_hdr: flags, kind, header length, segment size, checksum start and offset, little-endian.
SUPER_PACKETS = [
    bytes.fromhex("0104 3c00 7805 2800 1000") + ipv6.build(MINE, BEYOND, numbers.TCP, _TCP + bytes(1800)),
    bytes.fromhex("0105 3000 0400 2800 0600") + _datagram(MINE, THEIRS, bytes(17)),
    bytes.fromhex("0100 3000 0000 2800 0600") + _datagram(MINE, THEIRS),
    bytes(VNET_HEADER) + _datagram(MINE, BEYOND),
]
STREAMS = [REQUEST + b"".join(talk) for talk in (TALK, TALK[::-1], TALK[2:3] + TALK[7:] * 2)]
RECORDS = [(PACKET, packet) for packet in TALK] + [(SUPER_PACKET, packet) for packet in SUPER_PACKETS]
OWN_STREAMS = [
    OWN_REQUEST + b"".join(build_record(*record) for record in records)
    for records in (RECORDS, [RECORDS[2], *RECORDS[-4:], (KEEPALIVE, b"ping")])
]
FOR_CLIENTS = [_datagram(BEYOND, target) for target in (MINE, THEIRS, v6("2001:db8:ff::9"), v6("ff02::1"))]


# --- The server -----------------------------------------------------------------------------------------


def _server(config: ServerConfig) -> IpHttpsServer:
    """With a second client, connected and holding ``THEIRS``."""
    server = IpHttpsServer(config, lambda: "Sun, 10 Aug 2008 03:51:52 GMT", lambda: 0.5)
    for number, name in ((OTHER, "other.example"), (ME, "me.example")):
        server.open(number, Peer("192.0.2.7", 50000 + number, name), 100.0)
    server.receive(REQUEST + _datagram(THEIRS, BEYOND), OTHER, 100.0)
    server.transmit()
    server.events()
    return server


def _feed(server: IpHttpsServer, data: bytes) -> None:
    """In two stretches, the cut chosen by the data; then time passes."""
    cut = data[-1] * 7 % len(data) if data else 0
    server.receive(data[:cut], ME, 101.0)
    server.receive(data[cut:], ME, 101.0)
    for now in (101.0, 102.0, 140.0, 170.0, 200.0):
        if (due := server.timer()) is not None and due <= now:
            server.on_timer(now)
            assert server.timer() is None or server.timer() != due, "the timer does not move on"


def _judge(server: IpHttpsServer, own: bool) -> None:
    """What was sent is well formed in its end point's framing, and nobody took another's name."""
    header = VNET_HEADER if own else 0
    mine = b""
    for endpoint, chunks in server.transmit():
        if endpoint == TUN:
            for chunk in chunks:
                packet, _ = ipv6.parse(chunk[header:])
                assert packet.src not in (THEIRS, GATEWAY, GATEWAY_LL), "a client spoke as another"
                assert packet.dst[0] != 0xFF or packet.dst[1] & 15 > 2
        elif endpoint == ME:
            mine = b"".join(chunks)
        else:
            framer = PacketFramer(65575)
            framer.feed(b"".join(chunks))
            assert not framer.pending
    if mine.startswith(b"HTTP/1.1 200 "):
        head, _, rest = mine.partition(b"\r\n\r\n")
        framed = OwnFramer() if FRAMING_HEADER.encode() in head else PacketFramer(65575)
        framed.feed(rest)
        assert not framed.pending
    else:
        assert not mine or mine.startswith(b"HTTP/1.1 ")
    owners = [address for client in server.clients() for address in client.addresses]
    assert len(owners) == len(set(owners))
    server.events()
    server.drops()
    server.drop_totals()


def _stream(data: bytes, config: ServerConfig) -> None:
    server = _server(config)
    _feed(server, data)
    _judge(server, config.vnet_hdr)


def server_certificates(data: bytes) -> None:
    """A stock client's stream, mode Certificates, hairpin allowed."""
    _stream(data, STOCK)


def server_none(data: bytes) -> None:
    """A stock client's stream, mode None."""
    _stream(data, NONE)


def server_own(data: bytes) -> None:
    """Our own client's stream, with super-packets."""
    _stream(data, OWN)


def server_packets(data: bytes) -> None:
    """One packet in its framing, behind a right head: the input is the packet."""
    repaired = bytearray(data)
    repair.repair_ipv6(repaired)
    _stream(REQUEST + TALK[2] + bytes(repaired), STOCK)


def server_tun(data: bytes) -> None:
    """One packet of the kernel."""
    for config in (STOCK, OWN):
        server = _server(config)
        header = bytes(VNET_HEADER) if config.vnet_hdr else b""
        server.from_kernel([header + data], 101.0)
        for endpoint, chunks in server.transmit():
            assert endpoint in (TUN, OTHER)
            assert all(len(chunk) >= 40 for chunk in chunks)


def super_packet(data: bytes) -> None:
    """A super-packet taken apart: whole IPv6 packets, or nothing."""
    if len(data) < VNET_HEADER + 40 or data[VNET_HEADER] >> 4 != 6:
        raise WireError("no record holds this")
    repaired = bytearray(data[VNET_HEADER:])
    repair.repair_ipv6(repaired)
    packet = data[:VNET_HEADER] + bytes(repaired)
    pieces = segment(packet)
    assert all(ipv6.parse(piece)[0].payload_length == len(piece) - 40 for piece in pieces)
    assert len(pieces) <= len(packet)


def _run(sizes: list[int], flags: int = tcp.ACK, options: bytes = b"") -> bytes:
    """Consecutive segments of one flow, the last with PSH."""
    packets, sequence = [], 0xFFFFFF00
    for number, size in enumerate(sizes, 1):
        bits = flags | (tcp.PSH if number == len(sizes) else 0)
        header = tcp.Tcp(1000, 80, sequence & 0xFFFFFFFF, 7, bits, 512, 0, options)
        packets.append(
            ipv6.build(MINE, BEYOND, numbers.TCP, tcp.build(MINE, BEYOND, header, bytes([number]) * size))
        )
        sequence += size
    return b"".join(packets)


STAMPS = bytes.fromhex("0101080a 00000001 00000002")
RUNS = [_run([100] * 6), _run([100] * 4, options=STAMPS) + _run([40] * 5), _run([64] * 3 + [20]) + TALK[7]]


def _without_checksum(packet: bytes) -> bytes:
    return packet[:56] + bytes(2) + packet[58:] if packet[6] == numbers.TCP and len(packet) >= 60 else packet


def stock_stream(data: bytes) -> None:
    """Joined or not, cut here or there: the kernel is given the very packets of the stream."""
    packets, error = outcome([data], PacketFramer(1500))
    for pieces in ([data], cuts(data)):
        items, other = outcome(pieces, StockStream(1500))
        assert (error is None) == (other is None)
        parts = [part for found in items for item in found for part in segment(item)]
        if error is None:
            assert list(map(_without_checksum, parts)) == [
                _without_checksum(p) for found in packets for p in found
            ]
    singles, other = outcome(cuts(data), StockStream(1500, vnet_hdr=False))
    assert (error is None) == (other is None)
    if error is None:
        assert [p for found in singles for p in found] == [p for found in packets for p in found]
    if error is not None:
        raise error


TARGETS = [
    Target("stock_stream", stock_stream, RUNS),
    Target("iphttps_server_certificates", server_certificates, STREAMS, refuses=()),
    Target("iphttps_server_none", server_none, STREAMS, refuses=()),
    Target("iphttps_server_own", server_own, OWN_STREAMS + STREAMS[:1], refuses=()),
    Target("iphttps_server_packets", server_packets, TALK, repair.repair_nd, ()),
    Target("iphttps_server_tun", server_tun, FOR_CLIENTS, repair.repair_ipv6, ()),
    Target("super_packet", super_packet, SUPER_PACKETS),
]
