"""Joining by columns, against taking apart: whatever goes in as a stream comes out as the same packets."""

from __future__ import annotations

import random

import pytest

from manageout.errors import WireError
from manageout.protocol.offload.cut import segment
from manageout.protocol.offload.join import StockStream
from manageout.wire import ipv6, numbers, tcp
from manageout.wire.virtio import PLAIN
from tests.tools.packets import udp

A, B = (bytes.fromhex(f"fd12{'00' * 13}0{number}") for number in (1, 2))
OPTIONS = b"\1\1\x08\x0a" + bytes(8)


def segments(
    count: int, payload: int = 1208, first: int = 1000, psh_every: int = 0, port: int = 5000
) -> list[bytes]:
    made = []
    for number in range(count):
        flags = 0x18 if psh_every and number % psh_every == psh_every - 1 else 0x10
        header = tcp.Tcp(80, port, first + number * payload & 0xFFFFFFFF, 7, flags, 500, 0, OPTIONS)
        made.append(ipv6.build(A, B, numbers.TCP, tcp.build(A, B, header, bytes([number & 0xFF]) * payload)))
    return made


def apart(items: list[bytes]) -> list[bytes]:
    return [packet for item in items for packet in segment(item)]


def test_segments_of_one_flow_become_one_super_packet() -> None:
    packets = segments(40)
    items = StockStream(1500).feed(b"".join(packets))
    assert len(items) == 1
    assert apart(items) == packets


def test_a_push_ends_a_run_and_a_super_packet_holds_64_kib() -> None:
    packets = segments(120, psh_every=50)
    items = StockStream(1500).feed(b"".join(packets))
    assert [len(segment(item)) for item in items] == [50, 50, 20]
    assert apart(items) == packets
    packets = segments(60)
    items = StockStream(1500).feed(memoryview(b"".join(packets)))
    assert [len(segment(item)) for item in items] == [54, 6]


@pytest.mark.parametrize(
    ("full", "payload", "joined"), [(3, 1, 1), (10, 1200, 1), (54, 100, 1), (54, 300, 2)]
)
def test_a_shorter_segment_ends_a_run_and_belongs_to_it(full: int, payload: int, joined: int) -> None:
    packets = segments(full) + segments(1, payload, 1000 + full * 1208, psh_every=1) + segments(1, port=7)
    items = StockStream(1500).feed(b"".join(packets))
    assert len(items) == joined + 1
    assert apart(items) == packets


def test_flows_in_turn_are_left_alone() -> None:
    first, second = segments(4), segments(4, port=6000)
    packets = [packet for pair in zip(first, second, strict=True) for packet in pair]
    items = StockStream(1500).feed(b"".join(packets))
    assert items == [PLAIN + packet for packet in packets]


def test_nothing_is_joined_when_told_so() -> None:
    packets = segments(10)
    assert StockStream(1500, joins=False).feed(b"".join(packets)) == [PLAIN + packet for packet in packets]


def test_udp_and_pure_acknowledgments_pass() -> None:
    acks = segments(5, payload=0)
    datagrams = [ipv6.build(A, B, numbers.UDP, udp.build(A, B, 1, 2, bytes(64)))] * 5
    items = StockStream(1500).feed(b"".join(acks + datagrams))
    assert items == [PLAIN + packet for packet in acks + datagrams]


@pytest.mark.parametrize("field", [0, 3, 7, 20, 30, 41, 42, 45, 48, 51, 54, 55, 58, 59, 60, 66, 71])
def test_any_other_header_field_ends_a_run(field: int) -> None:
    packets = segments(12)
    odd = bytearray(packets[6])
    odd[field] ^= 1
    packets[6] = bytes(odd)
    items = StockStream(1500).feed(b"".join(packets))
    assert len(items) > 1
    assert [without_checksum(p) for p in apart(items)] == [without_checksum(p) for p in packets]


def test_random_streams_cut_anywhere_come_out_as_they_went_in() -> None:
    source = random.Random(7)
    for _ in range(400):
        packets: list[bytes] = []
        for _ in range(source.randint(1, 5)):
            first = source.choice([1000, 2**32 - 2400, 2**32 - 1])
            size, psh = source.choice([1208, 100, 8, 1, 3]), source.choice([3, 5, 0])
            packets += segments(source.randint(1, 9), size, first, psh)
            if source.random() < 0.5:
                packets += segments(
                    1, source.choice([1, 77, 1207, 1208]), first + 1208 * source.randint(1, 9)
                )
        for number, packet in enumerate(packets):
            if source.random() < 0.1:
                damaged = bytearray(packet)
                damaged[source.choice([1, 7, *range(8, 52), 54, 55, *range(58, 72)])] ^= 1
                packets[number] = bytes(damaged)
        data, stream, items = b"".join(packets), StockStream(1500), []
        while data:
            cut = source.randint(1, len(data))
            items += stream.feed(data[:cut])
            data = data[cut:]
        assert stream.pending == 0
        assert [without_checksum(p) for p in apart(items)] == [without_checksum(p) for p in packets]


def without_checksum(packet: bytes) -> bytes:
    """A joined packet's checksum is made anew (the sender's was vouched for by TLS)."""
    return packet[:56] + packet[58:]


def test_what_is_not_ipv6_or_too_long_ends_the_stream() -> None:
    with pytest.raises(WireError, match="not IPv6"):
        StockStream(1500).feed(b"\x45")
    packets = segments(2)
    with pytest.raises(WireError, match="oversize"):
        StockStream(1279).feed(packets[0][:6])
    stream = StockStream(1280)
    assert len(stream.feed(packets[0] + packets[1][:5])) == 1
    assert stream.pending == 5
