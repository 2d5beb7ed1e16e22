"""Headers made up for packets from a raw socket, read back by the segmenter."""

from __future__ import annotations

from ipaddress import IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from manageout.linux.packets.offload import header_for
from manageout.protocol.offload.cut import segment
from manageout.wire import icmpv6, ipv6, numbers
from manageout.wire.checksum import pseudo, transport_checksum
from manageout.wire.virtio import PLAIN
from tests.tools.packets import udp

A, B = IPv6Address("2001:db8::1").packed, IPv6Address("2001:db8::2").packed
MTU = 1280


def partial(packet: bytes, offset: int) -> bytes:
    """The packet with its checksum left to a network card."""
    segment_length = len(packet) - 40
    value = pseudo(A, B, segment_length, packet[6]) % 0xFFFF or 0xFFFF
    at = 40 + offset
    return packet[:at] + value.to_bytes(2, "big") + packet[at + 2 :]


def tcp_packet(payload: bytes) -> bytes:
    header = bytes.fromhex("04d2007b 00000001 00000002 5010 ffff 0000 0000")
    check = transport_checksum(A, B, numbers.TCP, header + payload).to_bytes(2, "big")
    return ipv6.build(A, B, numbers.TCP, header[:16] + check + header[18:] + payload)


def udp_packet(payload: bytes) -> bytes:
    return ipv6.build(A, B, numbers.UDP, udp.build(A, B, 1, 2, payload))


def test_a_complete_packet_stays_as_it_is() -> None:
    for packet in (tcp_packet(b"x" * 100), udp_packet(b"y" * 9), ipv6.build(A, B, 59, b""), udp_packet(b"")):
        assert header_for(packet, MTU) == (PLAIN, packet)


@given(st.binary(max_size=1200))
def test_a_missing_checksum_is_completed(payload: bytes) -> None:
    for packet, offset in ((tcp_packet(payload), 16), (udp_packet(payload), 6)):
        header, same = header_for(partial(packet, offset), MTU)
        assert segment(header + same) == [packet]


def test_icmpv6_is_completed_too() -> None:
    packet = ipv6.build(A, B, numbers.ICMPV6, icmpv6.build(A, B, 128, 0, b"\0\1\0\1ping"))
    header, same = header_for(partial(packet, 2), MTU)
    assert segment(header + same) == [packet]


@given(st.integers(1221, 60000))
def test_a_super_packet_becomes_packets_of_the_mtu(size: int) -> None:
    data = bytes(index & 0xFF for index in range(size))
    header, packet = header_for(partial(tcp_packet(data), 16), MTU)
    packets = segment(header + packet)
    assert b"".join(piece[60:] for piece in packets) == data
    for piece in packets:
        assert len(piece) <= MTU
        assert transport_checksum(A, B, numbers.TCP, piece[40:]) == 0


@given(st.binary(min_size=40, max_size=80))
def test_nothing_unexpected_escapes(packet: bytes) -> None:
    header, same = header_for(packet, MTU)
    assert len(header) == len(PLAIN) and len(same) == len(packet)
