"""The fast path: every rule of the translator's lists, and vectors made by another implementation."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest

from manageout.protocol.core.drops import Drop, Verdict
from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.whole import Mtus, WholePackets, adjusted, segments
from manageout.wire import icmpv6, ipv4, ipv6, virtio
from manageout.wire.checksum import checksum
from tests.tools.packets import tcp, udp
from tests.tools.packets.icmpv4 import echo4
from tests.vectors import vector


def v4(text: str) -> bytes:
    return IPv4Address(text).packed


def v6(text: str) -> bytes:
    return IPv6Address(text).packed


CLIENT, LEASE, SERVER4 = v6("2001:db8:cafe::1"), v4("198.51.100.10"), v4("192.0.2.80")
SERVER = v6("64:ff9b::192.0.2.80")


def mappings() -> Mappings:
    maps = Mappings(
        IPv6Network("64:ff9b::/96"),
        own4=v4("10.0.0.1"),
        own6=v6("2001:db8:cafe::ffff"),
        pool=IPv4Network("198.51.100.0/24"),
        strict=False,
    )
    maps.set_lease(CLIENT, LEASE)
    return maps


FAST = WholePackets(mappings(), Mtus())
IDENTS = {"udp": 0x1234, "tcpsyn": 0x1235, "echo": 0x1236}


@pytest.mark.parametrize("kind", IDENTS)
def test_vectors_6_to_4(kind: str) -> None:
    result = FAST.fast(vector(f"SIIT_{kind}_v6"), IDENTS[kind])
    assert result.verdict is Verdict.FORWARD and result.packet == vector(f"SIIT_{kind}_v4")


@pytest.mark.parametrize(("size", "flags"), [(1260, 0), (1261, 0x40)])
def test_df_boundary(size: int, flags: int) -> None:
    body = udp.build(CLIENT, SERVER, 1, 2, bytes(size - 28))
    packet = FAST.fast(ipv6.build(CLIENT, SERVER, 17, body), 7).packet
    assert len(packet) == size and packet[6] == flags


def flood(protocol: int) -> bytes:
    if protocol == 6:
        return tcp.build(CLIENT, SERVER, tcp.parse(CLIENT, SERVER, vector("SIIT_tcpsyn_v6")[40:])[0], b"data")
    return udp.build(CLIENT, SERVER, 40000, 53, b"data")


@pytest.mark.parametrize("protocol", [6, 17])
def test_round_trip_through_both(protocol: int) -> None:
    """What came from the client, sent back by the server, arrives with a right checksum."""
    segment6 = flood(protocol)
    there = FAST.fast(ipv6.build(CLIENT, SERVER, protocol, segment6), 7)
    header, body = ipv4.parse(there.packet)
    assert (header.src, header.dst, header.ttl) == (LEASE, SERVER4, 63)
    back = FAST.fast(ipv4.build(SERVER4, LEASE, protocol, body), 8)
    header6, body6 = ipv6.parse(back.packet)
    assert (header6.src, header6.dst, header6.hop_limit) == (SERVER, CLIENT, 63)
    # The pseudo-header's sum does not tell source from destination.
    assert body6 == segment6


def test_echo_4_to_6() -> None:
    packet = ipv4.build(SERVER4, LEASE, 1, echo4(1, 2, b"data"))
    header, body = ipv6.parse(FAST.fast(packet, 7).packet)
    message = icmpv6.parse(header.src, header.dst, body)
    assert (message.type, message.body) == (128, bytes.fromhex("00010002") + b"data")


@pytest.mark.parametrize(
    ("source", "destination", "reason"),
    [
        ("64:ff9b::1.2.3.4", "64:ff9b::192.0.2.80", Drop.SOURCE_IN_PREF64),
        ("::1", "64:ff9b::192.0.2.80", Drop.SOURCE_ILLEGAL),
        ("ff02::1", "64:ff9b::192.0.2.80", Drop.SOURCE_ILLEGAL),
        ("fe80::1", "64:ff9b::192.0.2.80", Drop.SOURCE_ILLEGAL),
        ("::ffff:1.2.3.4", "64:ff9b::192.0.2.80", Drop.SOURCE_ILLEGAL),
        ("2001:db8:cafe::1", "64:ff9b::127.0.0.1", Drop.DESTINATION_ILLEGAL),
        ("2001:db8:cafe::1", "64:ff9b::224.0.0.1", Drop.DESTINATION_ILLEGAL),
        ("2001:db8:cafe::1", "64:ff9b::169.254.169.254", Drop.DESTINATION_ILLEGAL),
        ("2001:db8:cafe::1", "2001:db8::1", None),
        ("2001:db8:cafe::2", "64:ff9b::192.0.2.80", None),
        ("2001:db8:cafe::1", "64:ff9b::198.51.100.11", None),
    ],
)
def test_addresses_6_to_4(source: str, destination: str, reason: Drop | None) -> None:
    packet = ipv6.build(v6(source), v6(destination), 17, flood(17))
    result = FAST.fast(packet, 7)
    assert result.reason is reason
    assert result.verdict is (Verdict.DROP if reason else Verdict.SLOW)


@pytest.mark.parametrize(
    ("source", "destination", "reason"),
    [
        ("127.0.0.1", "198.51.100.10", Drop.SOURCE_ILLEGAL),
        ("0.1.2.3", "198.51.100.10", Drop.SOURCE_ILLEGAL),
        ("255.255.255.255", "198.51.100.10", Drop.SOURCE_ILLEGAL),
        ("169.254.7.7", "198.51.100.10", Drop.SOURCE_ILLEGAL),
        ("198.51.100.11", "198.51.100.10", Drop.LEASE_SPOOFED),
        ("192.0.2.80", "198.51.100.12", None),
    ],
)
def test_addresses_4_to_6(source: str, destination: str, reason: Drop | None) -> None:
    packet = ipv4.build(v4(source), v4(destination), 17, flood(17))
    result = FAST.fast(packet, 7)
    assert result.reason is reason
    assert result.verdict is (Verdict.DROP if reason else Verdict.SLOW)


def slow_ones() -> list[bytes]:
    """One packet for each rule that says SLOW."""
    datagram = flood(17)
    zero = datagram[:6] + bytes(2) + datagram[8:]
    big = udp.build(CLIENT, SERVER, 1, 2, bytes(1300))
    return [
        ipv6.build(CLIENT, SERVER, 17, datagram) + b"\0",
        ipv6.build(CLIENT, SERVER, 17, datagram, hop_limit=1),
        ipv6.build(CLIENT, SERVER, 17, zero),
        ipv6.build(CLIENT, SERVER, 17, datagram[:7]),
        ipv6.build(CLIENT, SERVER, 58, icmpv6.build(CLIENT, SERVER, 1, 0, bytes(60))),
        ipv6.build(CLIENT, SERVER, 1, echo4(1, 2, b"")),
        ipv6.build(CLIENT, SERVER, 44, bytes(8) + datagram),
        ipv6.build(CLIENT, SERVER, 17, udp.build(CLIENT, SERVER, 1, 2, bytes(1500))),
        ipv4.build(SERVER4, LEASE, 17, datagram, options=b"\1\1\1\0"),
        ipv4.build(SERVER4, LEASE, 17, datagram, more_fragments=True),
        ipv4.build(SERVER4, LEASE, 17, datagram, ttl=1),
        ipv4.build(SERVER4, LEASE, 17, big),
        ipv4.build(SERVER4, LEASE, 58, echo4(1, 2, b"")),
        ipv4.build(v4("127.0.0.1"), LEASE, 1, echo4(1, 2, b"")),
    ]


@pytest.mark.parametrize("packet", slow_ones())
def test_the_rest_is_slow(packet: bytes) -> None:
    assert FAST.fast(packet, 7).verdict is Verdict.SLOW


@pytest.mark.parametrize("packet", [b"", b"\x60", b"\x45" + bytes(18), vector("SIIT_udp_v6")[:-1]])
def test_truncated(packet: bytes) -> None:
    assert FAST.fast(packet, 7).reason is Drop.TRUNCATED


def super_packet(version: int, payload: bytes, size: int) -> tuple[bytes, bytes]:
    """One TCP super-packet with a partial checksum."""
    source, target = (CLIENT, SERVER) if version == 6 else (SERVER4, LEASE)
    length = 20 + len(payload)
    pseudo = (int.from_bytes(source, "big") + int.from_bytes(target, "big") + length + 6) % 0xFFFF
    body = bytes.fromhex("9c41005011223344000000005018ffff") + pseudo.to_bytes(2, "big") + b"\0\0" + payload
    start, kind = (40, 4) if version == 6 else (20, 1)
    packet = (
        ipv6.build(source, target, 6, body)
        if version == 6
        else ipv4.build(source, target, 6, body, dont_fragment=True, ident=9)
    )
    return virtio.HEADER.pack(1, kind, start + 20, size, start, 16), packet


@pytest.mark.parametrize("version", [4, 6])
def test_super_packet_translates_as_its_segments_do(version: int) -> None:
    payload = bytes(range(256)) * 20
    header, packet = super_packet(version, payload, 1000)
    result = FAST.translate_gso(header, packet, 9)
    assert result.verdict is Verdict.FORWARD
    there = segments(result.packet[:10], result.packet[10:])
    alone = [FAST.fast(piece, 9 + number).packet for number, piece in enumerate(segments(header, packet))]
    assert len(there) == 6
    assert there == alone


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("at", "value"), [(1, 3), (1, 5), (4, 0), (6, 41), (8, 6), (0, 0)])
def test_odd_super_packets_are_slow(version: int, at: int, value: int) -> None:
    """A kind, a size, an offset that does not fit, or no checksum to complete."""
    header, packet = super_packet(version, bytes(5000), 1000)
    odd = bytearray(header)
    odd[at : at + 2 - (at < 2)] = value.to_bytes(2 - (at < 2), "little")
    assert FAST.translate_gso(bytes(odd), packet, 9).verdict is Verdict.SLOW


def test_super_packet_too_large_for_the_next_hop_is_slow() -> None:
    header, packet = super_packet(6, bytes(5000), 1480)
    assert FAST.translate_gso(header, packet, 9).verdict is Verdict.SLOW


def test_rfc_1624_example() -> None:
    """Section 4: the case that equation 2 of RFC 1141 gets wrong."""
    assert adjusted(0xDD2F, 0x5555, 0x3285) == 0x0000


def test_a_checksum_is_adjusted_over_several_words() -> None:
    old, new, rest = b"\x0a\x00\x00\x05", b"\x0a\x00\x01\x1e", bytes(range(20))
    assert adjusted(checksum(rest + old), int.from_bytes(old, "big"), int.from_bytes(new, "big")) == checksum(
        rest + new
    )
