"""Super-packets: cut and counted, against parsing and scapy's checksums."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import IPv6

from manageout.protocol.offload.cut import harmless, more, segment
from manageout.wire import ipv6, numbers
from manageout.wire.checksum import pseudo
from manageout.wire.virtio import HEADER, NEEDS_CSUM, PLAIN
from tests.tools.machines.iphttps import BEYOND, gua
from tests.tools.packets import tcp, udp

OPTIONS = bytes.fromhex("0101080a0000000100000002")


def tcp_packet(
    payload: bytes,
    sequence: int = 1,
    flags: int = 0x10,
    source: int = 80,
    options: bytes = OPTIONS,
    ack: int = 9,
) -> bytes:
    header = tcp.Tcp(source, 5000, sequence & 0xFFFFFFFF, ack, flags, 500, 0, options)
    return ipv6.build(
        gua(1), BEYOND, numbers.TCP, tcp.build(gua(1), BEYOND, header, payload), traffic_class=0xB8
    )


def partial(packet: bytes, field: int) -> bytes:
    """The packet as the kernel hands it over: the pseudo-header's sum in place of the checksum."""
    value = pseudo(packet[8:24], packet[24:40], len(packet) - 40, packet[6]) % 0xFFFF or 0xFFFF
    return packet[:field] + value.to_bytes(2, "big") + packet[field + 2 :]


def super_tcp(payload: bytes, size: int, flags: int = 0x18, sequence: int = 1) -> bytes:
    packet = partial(tcp_packet(payload, sequence, flags), 56)
    return HEADER.pack(NEEDS_CSUM, 4, 72, size, 40, 16) + packet


@given(st.binary(min_size=1, max_size=9000), st.integers(1, 1448), st.integers(0, 2**32 - 1))
def test_tcp_pieces_are_right(payload: bytes, size: int, sequence: int) -> None:
    size = max(size, len(payload) // 50 + 1)
    pieces = segment(super_tcp(payload, size, 0x99, sequence))
    assert b"".join(tcp.parse(gua(1), BEYOND, piece[40:])[1] for piece in pieces) == payload
    for n, piece in enumerate(pieces):
        header, segment_ = ipv6.parse(piece)
        parsed, data = tcp.parse(header.src, header.dst, segment_)
        last = n == len(pieces) - 1
        assert header.traffic_class == 0xB8 and len(piece) == 40 + header.payload_length
        assert parsed.sequence == (sequence + n * size) % 2**32
        assert len(data) == size or last
        # CWR in the first alone, FIN and PSH in the last alone, ACK in all.
        assert parsed.flags == 0x10 | (0x80 if n == 0 else 0) | (0x09 if last else 0)
        assert parsed.options == OPTIONS


def test_scapy_agrees_with_our_checksums() -> None:
    data = Random(1).randbytes(5001)
    for piece in segment(super_tcp(data, 1207)):
        read = IPv6(piece)
        kept = read[TCP].chksum
        del read[TCP].chksum
        assert IPv6(bytes(read))[TCP].chksum == kept
    datagram = ipv6.build(gua(1), BEYOND, numbers.UDP, udp.build(gua(1), BEYOND, 1, 2, data))
    for piece in segment(HEADER.pack(NEEDS_CSUM, 5, 48, 999, 40, 6) + partial(datagram, 46)):
        read = IPv6(piece)
        kept = read[UDP].chksum
        del read[UDP].chksum
        assert IPv6(bytes(read))[UDP].chksum == kept


@given(st.binary(max_size=2000))
def test_a_missing_checksum_is_completed(payload: bytes) -> None:
    whole = tcp_packet(payload)
    assert segment(HEADER.pack(NEEDS_CSUM, 0, 0, 0, 40, 16) + partial(whole, 56)) == [whole]
    whole = ipv6.build(gua(1), BEYOND, numbers.UDP, udp.build(gua(1), BEYOND, 1, 2, payload))
    assert segment(HEADER.pack(NEEDS_CSUM, 0, 0, 0, 40, 6) + partial(whole, 46)) == [whole]


def test_a_plain_packet_stays_as_it_is() -> None:
    assert segment(PLAIN + tcp_packet(b"x")) == [tcp_packet(b"x")]


@given(
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 200),
    st.integers(0, 200),
    st.integers(0, 200),
    st.binary(),
)
def test_any_header_before_any_packet_is_survived(
    flags: int, kind: int, size: int, start: int, offset: int, rest: bytes
) -> None:
    packet = tcp_packet(b"")[:40] + rest
    for piece in segment(HEADER.pack(flags, kind, 0, size, start, offset) + packet):
        assert piece[:4] == packet[:4]


@pytest.mark.parametrize("length", [0, 1, 99, 100, 101, 5000])
def test_what_a_super_packet_stands_for(length: int) -> None:
    supers = [super_tcp(bytes(length), 100)]
    datagram = ipv6.build(gua(1), BEYOND, numbers.UDP, udp.build(gua(1), BEYOND, 1, 2, bytes(length)))
    supers.append(HEADER.pack(NEEDS_CSUM, 5, 48, 100, 40, 6) + partial(datagram, 46))
    for data in supers:
        pieces = segment(data) or [data[10:]]
        assert more(data) == (len(pieces) - 1, sum(map(len, pieces)) - len(data) + 10)


def test_a_packet_stands_for_itself() -> None:
    assert more(PLAIN + tcp_packet(b"x")) == more(b"") == more(b"\0\4") == (0, 0)


@given(
    st.sampled_from([0x04, 0x84, 0x05, 0x85]),
    st.integers(1, 60),
    st.sampled_from([40, 44]),
    st.integers(5, 8),
    st.binary(min_size=33, max_size=200),
)
def test_whatever_is_cut_is_counted_as_it_is_cut(
    kind: int, size: int, start: int, words: int, rest: bytes
) -> None:
    upper = rest[:12] + bytes([words << 4]) + rest[13:]
    packet = tcp_packet(b"")[:40] + bytes(start - 40) + upper
    data = HEADER.pack(NEEDS_CSUM, kind, 0, size, start, 6) + packet
    pieces = segment(data)
    assert more(data) == (len(pieces) - 1, sum(map(len, pieces)) - len(packet))


@given(st.binary(max_size=80))
def test_anything_else_is_survived(data: bytes) -> None:
    packets, size = more(data)
    assert (packets == 0) == (size == 0) and packets < max(1, len(data))


def test_a_peers_header_may_only_complete_the_checksum_of_its_own_transport() -> None:
    packet = tcp_packet(bytes(300))
    assert harmless(PLAIN + packet) and harmless(HEADER.pack(2, 0, 0, 0, 0, 0) + packet)
    assert harmless(HEADER.pack(NEEDS_CSUM, 0, 0, 0, 40, 16) + packet)
    assert harmless(HEADER.pack(NEEDS_CSUM, 4, 72, 100, 40, 16) + packet)
    options = ipv6.build(
        gua(1), BEYOND, numbers.DESTINATION_OPTIONS, bytes((6, 0, 1, 4, 0, 0, 0, 0)) + packet[40:]
    )
    assert harmless(HEADER.pack(NEEDS_CSUM, 0, 0, 0, 48, 16) + options)
    for start, offset in ((0, 22), (8, 14), (40, 0), (40, 6), (44, 12), (65535, 16)):
        assert not harmless(HEADER.pack(NEEDS_CSUM, 0, 0, 0, start, offset) + packet), (start, offset)
    assert not harmless(HEADER.pack(NEEDS_CSUM, 5, 48, 100, 40, 16) + packet)  # UDP, says the header
    assert not harmless(HEADER.pack(0, 4, 72, 100, 40, 16) + packet)
    assert not harmless(HEADER.pack(NEEDS_CSUM, 0, 0, 0, 40, 16) + packet[:6] + b"\x2b" + packet[7:])


def test_a_peers_header_may_not_multiply_packets() -> None:
    packet = tcp_packet(bytes(12800))
    assert harmless(HEADER.pack(NEEDS_CSUM, 4, 72, 100, 40, 16) + packet)
    assert not harmless(HEADER.pack(NEEDS_CSUM, 4, 72, 99, 40, 16) + packet)
    assert not harmless(HEADER.pack(NEEDS_CSUM, 4, 72, 0, 40, 16) + packet)
