"""Packets at the server: source binding, destinations, hairpin, errors."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from ipaddress import IPv6Address
from random import Random

import pytest

from manageout.protocol.iphttps.values import AddressBound
from manageout.wire import icmpv6, ipv6, numbers, tcp
from manageout.wire.iphttps import PACKET, SUPER_PACKET, OwnFramer, build_record
from manageout.wire.virtio import HEADER
from tests.tools.machines.iphttps import BEYOND, GATEWAY, GATEWAY_LL, Site, dad, datagram, gua, ll

both = pytest.mark.parametrize("mode", ["none", "certificates"])
VNET = bytes(10)


def two(**changes: object) -> Site:
    """Two clients that hold gua(n) and ll(n)."""
    site = Site(**changes)
    for number in (1, 2):
        site.connect(number)
    for number in (1, 2):
        site.feed(number, dad(gua(number)) + dad(ll(number)))
    site.packets(1), site.packets(2)
    return site


def error(packet: bytes) -> tuple[ipv6.Ipv6, icmpv6.Icmpv6]:
    header, payload = ipv6.parse(packet)
    return header, icmpv6.parse(header.src, header.dst, payload)


# --- To and from the kernel -----------------------------------------------------------------------------


@both
def test_plain_data_passes_unchanged_both_ways(mode: str) -> None:
    site = two(mode=mode)
    up = [datagram(gua(1), BEYOND, bytes((n,)), hop_limit=n) for n in range(1, 9)]
    site.feed(1, b"".join(up))
    assert site.kernel() == up
    down = [datagram(BEYOND, gua(2), bytes((n,)), hop_limit=n) for n in range(1, 9)]
    site.tell_kernel_side(*down)
    assert site.packets(2) == down and site.packets(1) == []


@both
def test_the_gateway_itself_can_be_reached(mode: str) -> None:
    site = two(mode=mode)
    packets = [datagram(ll(1), GATEWAY_LL), datagram(gua(1), GATEWAY), datagram(gua(1), GATEWAY_LL)]
    site.feed(1, b"".join(packets))
    assert site.kernel() == packets


def test_echo_and_errors_are_plain_data() -> None:
    site = two()
    echo = icmpv6.build(gua(1), BEYOND, icmpv6.ECHO_REQUEST, 0, b"12345678")
    packet = ipv6.build(gua(1), BEYOND, numbers.ICMPV6, echo)
    site.feed(1, packet)
    assert site.kernel() == [packet]


def test_nobody_there_is_told_within_a_limit() -> None:
    site = two()
    lost = datagram(BEYOND, gua(99))
    site.tell_kernel_side(lost)
    header, message = error(site.kernel()[0])
    assert (header.src, header.dst) == (GATEWAY, BEYOND)
    assert (message.type, message.code) == (icmpv6.DESTINATION_UNREACHABLE, icmpv6.ADDRESS_UNREACHABLE)
    assert message.body[4:] == lost
    site.tell_kernel_side(*[lost] * 1000)
    assert len(site.kernel()) < 100
    assert site.drops() == {"UNKNOWN_CLIENT": 1001}


def test_what_is_not_ipv6_from_the_kernel_is_dropped() -> None:
    site = two()
    site.tell_kernel_side(b"", b"\x45" + bytes(60), b"\x60" + bytes(10))
    assert site.kernel() == [] and site.drops() == {"NOT_IPV6": 3}


def test_an_ipv4_packet_that_looks_addressed_to_a_client_is_not_sent() -> None:
    site = two()
    site.tell_kernel_side(b"\x45" + datagram(BEYOND, gua(1))[1:])
    assert site.packets(1) == [] and site.drops() == {"NOT_IPV6": 1}


# --- Source binding -------------------------------------------------------------------------------------


@both
def test_a_client_cannot_use_anothers_address(mode: str) -> None:
    site = two(mode=mode)
    site.feed(2, datagram(gua(1), BEYOND) + datagram(ll(1), GATEWAY_LL))
    assert site.kernel() == [] and site.drops() == {"ADDRESS_TAKEN": 2}
    assert [client.packets_in for client in site.server.clients()] == [2, 2]


@both
def test_nor_one_that_is_not_of_the_link(mode: str) -> None:
    site = two(mode=mode)
    for source in (BEYOND, bytes(16), GATEWAY, GATEWAY_LL, bytes(15) + b"\x01", b"\xff" * 16):
        site.feed(2, datagram(source, BEYOND))
    site.feed(2, datagram(IPv6Address("fe80:0:0:1::7").packed, GATEWAY_LL))
    assert site.kernel() == [] and site.drops() == {"NOT_OWNER": 5, "ADDRESS_TAKEN": 2}


def test_first_use_binds() -> None:
    site = two()
    site.feed(2, datagram(gua(7), BEYOND))
    assert len(site.kernel()) == 1 and site.events[-1] == AddressBound(2, gua(7))
    site.tell_kernel_side(datagram(BEYOND, gua(7)))
    assert len(site.packets(2)) == 1


def test_a_scan_of_sources_is_bounded() -> None:
    site = Site(max_addresses=4)
    site.connect(1)
    site.feed(1, b"".join(datagram(gua(n), BEYOND) for n in range(1000)))
    assert len(site.kernel()) == 4
    (client,) = site.server.clients()
    assert len(client.addresses) == 4
    assert sum(site.drops().values()) == 996


# --- Between clients ------------------------------------------------------------------------------------


def test_link_local_between_clients_depends_on_mode_and_policy() -> None:
    site = two(mode="none", hairpin=True)
    site.feed(1, datagram(ll(1), ll(2)))
    assert site.packets(2) == [] and site.drops() == {"LINK_LOCAL": 1}
    site = two(mode="certificates", hairpin=False)
    site.feed(1, datagram(ll(1), ll(2)))
    assert site.packets(2) == [] and site.drops() == {"HAIRPIN": 1}
    site = two(mode="certificates", hairpin=True)
    site.feed(1, datagram(ll(1), ll(2)))
    assert site.packets(2) == [datagram(ll(1), ll(2))] and site.kernel() == []
    site.feed(1, datagram(ll(1), ll(9)))
    assert site.drops() == {"UNKNOWN_CLIENT": 1}


@both
def test_clients_do_not_reach_each_other(mode: str) -> None:
    site = two(mode=mode)
    site.feed(1, datagram(gua(1), gua(2)) + datagram(gua(1), gua(99)))
    assert site.packets(2) == site.packets(1) == site.kernel() == []
    assert site.drops() == {"HAIRPIN": 2}


@both
def test_unless_policy_allows_it(mode: str) -> None:
    site = two(mode=mode, hairpin=True)
    site.feed(1, datagram(gua(1), gua(2), hop_limit=64))
    assert site.packets(2) == [datagram(gua(1), gua(2), hop_limit=63)] and site.kernel() == []


def test_hairpin_counts_hops() -> None:
    site = two(hairpin=True)
    original = datagram(gua(1), gua(2), hop_limit=1)
    site.feed(1, original)
    assert site.packets(2) == [] and site.drops() == {"HOP_LIMIT": 1}
    header, message = error(site.packets(1)[0])
    assert (header.src, header.dst, message.type) == (GATEWAY, gua(1), icmpv6.TIME_EXCEEDED)
    assert message.body[4:] == original


def test_hairpin_does_not_forward_link_local_sources() -> None:
    site = two(hairpin=True)
    site.feed(1, datagram(ll(1), gua(2)))
    assert site.packets(2) == [] and site.drops() == {"LINK_LOCAL": 1}


def test_hairpin_to_nobody_is_told() -> None:
    site = two(hairpin=True)
    site.feed(1, datagram(gua(1), gua(99)))
    _, message = error(site.packets(1)[0])
    assert (message.type, message.code) == (1, icmpv6.ADDRESS_UNREACHABLE)
    assert site.drops() == {"UNKNOWN_CLIENT": 1}


def test_hairpin_to_a_slow_client_is_dropped() -> None:
    site = two(hairpin=True)
    site.server.congested(2, True)
    site.feed(1, datagram(gua(1), gua(2)))
    assert site.packets(2) == [] and site.drops() == {"QUEUE_FULL": 1}


def test_hairpin_of_a_super_packet_suits_the_receiver() -> None:
    site = Site(hairpin=True, vnet_hdr=True)
    for number in (1, 2):
        site.connect(number, f"own{number}", ("Manageout-Framing", "1"))
        site.feed(number, build_record(PACKET, dad(gua(number))))
    site.connect(3)
    site.feed(3, dad(gua(3)))
    for number in (1, 2, 3):
        site.stream(number)
    whole = VNET + datagram(gua(1), gua(2), bytes(5000))
    site.feed(1, build_record(SUPER_PACKET, whole))
    ((kind, body),) = OwnFramer().feed(site.stream(2))
    assert kind == SUPER_PACKET and body[:17] + b"\x40" + body[18:] == whole
    gso = HEADER.pack(1, 5, 48, 100, 40, 6) + datagram(gua(1), gua(3), bytes(250))
    site.feed(1, build_record(SUPER_PACKET, gso))
    assert [len(packet) for packet in site.packets(3)] == [148, 148, 98]


def test_nothing_too_long_reaches_a_stock_client() -> None:
    site = Site(hairpin=True, vnet_hdr=True)
    site.connect(1, "own", ("Manageout-Framing", "1"))
    site.connect(2)
    site.feed(1, build_record(PACKET, dad(gua(1))))
    site.feed(1, build_record(PACKET, dad(ll(1))))
    site.feed(2, dad(gua(2)))
    site.packets(2)
    group = IPv6Address("ff02::1:3").packed
    for packet in (datagram(gua(1), gua(2), bytes(1500)), datagram(ll(1), group, bytes(1500))):
        site.feed(1, build_record(SUPER_PACKET, VNET + packet))
    broken = HEADER.pack(1, 4, 0, 0, 0, 0) + datagram(gua(1), gua(2))
    site.feed(1, build_record(SUPER_PACKET, broken))
    assert site.packets(2) == [] and site.drops() == {"TOO_BIG": 2, "MALFORMED": 1}
    site.feed(1, build_record(PACKET, datagram(gua(1), BEYOND, bytes(1500))))
    assert site.closed(1) is not None and site.drops()["OVERSIZE"] == 1


# --- What no client may send ----------------------------------------------------------------------------


def with_routing_header(kind: int, left: int) -> Callable[[bytes, bytes], bytes]:
    def build(src: bytes, dst: bytes) -> bytes:
        routing = bytes((numbers.UDP, 2, kind, left)) + bytes(4) + BEYOND
        return ipv6.build(src, dst, numbers.ROUTING, routing + datagram(src, dst)[40:])

    return build


@pytest.mark.parametrize("kind", [0, 2, 4])
def test_source_routes_are_dropped(kind: int) -> None:
    site = two()
    site.feed(1, with_routing_header(kind, 1)(gua(1), BEYOND))
    assert site.kernel() == [] and site.drops() == {"FROM_CLIENT_FORBIDDEN": 1}
    site.feed(1, with_routing_header(kind, 0)(gua(1), BEYOND))
    assert len(site.kernel()) == 1


def test_broken_extension_headers_are_dropped() -> None:
    site = two()
    site.feed(1, ipv6.build(gua(1), BEYOND, numbers.HOP_BY_HOP, b"\x11\xff" + bytes(6)))
    assert site.kernel() == [] and site.drops() == {"MALFORMED": 1}


@pytest.mark.parametrize("text", ["::", "::1", "::192.0.2.1", "::ffff:192.0.2.1"])
def test_destinations_that_are_nowhere(text: str) -> None:
    site = two()
    site.feed(1, datagram(gua(1), IPv6Address(text).packed))
    assert site.kernel() == [] and site.drops() == {"DESTINATION_ILLEGAL": 1}


def test_a_nat64_destination_is_somewhere() -> None:
    site = two()
    site.feed(1, datagram(gua(1), IPv6Address("64:ff9b::192.0.2.1").packed))
    assert len(site.kernel()) == 1


# --- virtio_net_hdr -------------------------------------------------------------------------------------


def tcp_run(source: bytes, destination: bytes, count: int = 5) -> bytes:
    """Full segments, in order: what a stock client sends in bulk."""
    stream = b""
    for n in range(count):
        header = tcp.Tcp(80, 5000, n * 1220, 1, 0x10, 500, 0, b"")
        segment = tcp.build(source, destination, header, bytes(1220))
        stream += ipv6.build(source, destination, numbers.TCP, segment)
    return stream


def test_stock_segments_become_one_super_packet_for_the_kernel() -> None:
    site = two(vnet_hdr=True)
    site.feed(1, tcp_run(gua(1), BEYOND))
    (whole,) = site.kernel()
    assert HEADER.unpack_from(whole) == (1, 4, 60, 1220, 40, 16) and len(whole) == 10 + 60 + 5 * 1220


def test_joined_segments_are_counted_each_wherever_they_go() -> None:
    site = two(vnet_hdr=True, hairpin=True)
    before = {client.number: copy(client) for client in site.server.clients()}
    site.feed(1, tcp_run(gua(1), BEYOND))
    site.feed(1, tcp_run(gua(1), gua(2)))
    assert len(site.packets(2)) == 5
    site.feed(1, tcp_run(gua(2), BEYOND, 7) + tcp_run(gua(1), gua(99)))
    first, second = site.server.clients()
    assert first.packets_in - before[1].packets_in == 10
    assert first.bytes_in - before[1].bytes_in == 10 * 1280
    assert second.packets_out - before[2].packets_out == 5
    assert second.bytes_out - before[2].bytes_out == 5 * 1280
    assert site.drops() == {"ADDRESS_TAKEN": 7, "UNKNOWN_CLIENT": 5}


def test_super_packets_of_the_kernel_are_counted_by_piece_when_dropped() -> None:
    site = two(vnet_hdr=True)
    site.server.congested(1, True)
    header = HEADER.pack(1, 5, 48, 100, 40, 6)
    site.tell_kernel_side(header + datagram(BEYOND, gua(1), bytes(250)))
    site.tell_kernel_side(header + datagram(BEYOND, gua(99), bytes(150)))
    assert site.drops() == {"QUEUE_FULL": 3, "UNKNOWN_CLIENT": 2}


def test_a_super_packet_is_cut_for_a_stock_client_and_counted_in_pieces() -> None:
    site = two(vnet_hdr=True)
    before = copy(site.server.clients()[0])
    site.tell_kernel_side(HEADER.pack(1, 5, 48, 100, 40, 6) + datagram(BEYOND, gua(1), bytes(250)))
    assert [len(packet) for packet in site.packets(1)] == [148, 148, 98]
    client = site.server.clients()[0]
    assert client.packets_out - before.packets_out == 3
    assert client.bytes_out - before.bytes_out == 394


def test_a_header_that_fits_no_packet_is_dropped() -> None:
    site = two(vnet_hdr=True)
    site.tell_kernel_side(*[HEADER.pack(1, 4, 48, 0, 40, 6) + datagram(BEYOND, gua(1))] * 2)
    assert site.packets(1) == [] and site.drops() == {"MALFORMED": 2}


# --- Blocks of the kernel -------------------------------------------------------------------------------


@pytest.mark.parametrize("vnet_hdr", [True, False])
def test_blocks_mean_what_their_packets_mean(vnet_hdr: bool) -> None:
    random = Random(4)
    header = VNET if vnet_hdr else b""
    for _ in range(100):
        blocks, singles = (two(vnet_hdr=vnet_hdr) for _ in range(2))
        data, spans, packets = b"", [], []
        for _ in range(random.randint(1, 4)):
            target = random.choice([gua(1), gua(1), gua(2), gua(99)])
            full = [datagram(BEYOND, target, random.randbytes(1232)) for _ in range(random.randint(0, 3))]
            last = datagram(BEYOND, random.choice([target, gua(2)]), bytes(random.randint(0, 1000)))
            stretch = b"".join([*full, last])
            spans.append((len(data), len(data) + len(stretch)))
            data += stretch
            packets += [*full, last]
        full_client = random.random() < 0.2
        for site in (blocks, singles):
            site.server.congested(1, full_client)
        blocks.server.receive_blocks(memoryview(data), spans, blocks.now)
        singles.tell_kernel_side(*[header + packet for packet in packets])
        blocks.feed(2, b"")
        for number in (1, 2):
            assert blocks.packets(number) == singles.packets(number)
        assert blocks.drops() == singles.drops()
        assert [(c.packets_out, c.bytes_out) for c in blocks.server.clients()] == [
            (c.packets_out, c.bytes_out) for c in singles.server.clients()
        ]
