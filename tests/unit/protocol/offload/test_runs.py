"""Runs of TCP: what counts as one, and that joining loses, reorders and hides nothing."""

from __future__ import annotations

import random

import pytest

from manageout.protocol.isatap.link import outer_header
from manageout.protocol.offload.cut import segment
from manageout.protocol.offload.join import SIZE
from manageout.protocol.offload.runs import ARRIVING_SIZE, alike_arriving, alike_leaving, intact, joined
from manageout.wire import ipv6, tcp
from tests.tools.packets import udp

HOST, ROUTER = bytes([10, 0, 1, 30]), bytes([10, 0, 0, 1])
HOST6 = bytes.fromhex("fd123456789a000100005efe0a00011e")
CLIENT6 = bytes.fromhex("fd123456789a10000000000000000005")
PAYLOAD = SIZE - 60


def inner(number: int, *, flags: int = tcp.ACK, port: int = 5000) -> bytes:
    """The segment with this number in its flow."""
    header = tcp.Tcp(port, 22, (1 << 20) + number * PAYLOAD, 7, flags, 1000, 0, b"")
    payload = random.Random(number).randbytes(PAYLOAD)
    return ipv6.build(HOST6, CLIENT6, 6, tcp.build(HOST6, CLIENT6, header, payload))


def block(packets: list[bytes], ident: int = 0) -> memoryview:
    """As they came in."""
    outer = [outer_header(HOST, ROUTER, ARRIVING_SIZE, 0, (ident + n) & 0xFFFF) for n in range(len(packets))]
    return memoryview(b"".join(a + b for a, b in zip(outer, packets, strict=True)))


def written(arrived: memoryview) -> list[bytes]:
    """What the kernel would make of what is written to the TUN."""
    packets: list[bytes] = []
    for is_super, data in joined(arrived):
        packets += segment(data) if is_super else [data]
    return packets


RUN = [inner(n) for n in range(20)]


def test_segments_of_a_flow_are_alike() -> None:
    assert alike_arriving(block(RUN, ident=65530))
    assert alike_leaving(memoryview(b"".join(RUN)))


@pytest.mark.parametrize(
    "change",
    [
        lambda outer: b"\x46" + outer[1:],  # options
        lambda outer: outer[:1] + b"\x03" + outer[2:],  # congestion
        lambda outer: outer[:6] + b"\x20" + outer[7:],  # a fragment
        lambda outer: outer[:8] + b"\x01" + outer[9:],  # TTL
        lambda outer: outer[:15] + b"\x1f" + outer[16:],  # another host
        lambda outer: outer[:20] + b"\x61" + outer[21:],  # traffic class
        lambda outer: outer[:26] + b"\x11" + outer[27:],  # UDP
        lambda outer: outer[:43] + b"\x01" + outer[44:],  # source
        lambda outer: outer[:59] + b"\x01" + outer[60:],  # destination
    ],
)
@pytest.mark.parametrize("which", [0, 3, 9])
def test_one_that_differs_where_the_rules_look(change: object, which: int) -> None:
    packets = [bytes(block(RUN)[n * ARRIVING_SIZE :][:ARRIVING_SIZE]) for n in range(10)]
    packets[which] = change(packets[which])  # type: ignore[operator]
    assert not alike_arriving(memoryview(b"".join(packets)))


def test_what_does_not_go_on_as_it_is() -> None:
    marked = [bytes([0x45, 3]) + bytes(block(RUN)[2:ARRIVING_SIZE])] * 5
    assert not alike_arriving(memoryview(b"".join(marked)))
    padded = ipv6.build(HOST6, CLIENT6, 6, bytes(SIZE - 48)) + bytes(8)
    assert not alike_arriving(block([padded] * 5))


def test_datagrams_are_no_run() -> None:
    datagram = ipv6.build(HOST6, CLIENT6, 17, udp.build(HOST6, CLIENT6, 1, 2, bytes(SIZE - 48)))
    assert not alike_leaving(memoryview(datagram * 5))
    assert not alike_arriving(block([datagram] * 5))


def test_a_run_is_written_as_one_and_comes_out_the_same() -> None:
    assert [is_super for is_super, _ in joined(block(RUN))] == [True]
    assert written(block(RUN)) == RUN


def test_more_than_a_super_packet_holds() -> None:
    packets = [inner(n) for n in range(120)]
    assert sum(1 for _ in joined(block(packets))) == 3
    assert written(block(packets)) == packets


def test_two_flows_and_gaps_keep_their_order() -> None:
    packets = [*RUN[:4], *(inner(n, port=6000) for n in range(5)), *RUN[8:12], RUN[4], RUN[3], *RUN[14:]]
    assert written(block(packets)) == packets


@pytest.mark.parametrize("which", [0, 7, 19])
@pytest.mark.parametrize("at", [44, 56, 70, SIZE - 1])
def test_what_was_damaged_stays_damaged(which: int, at: int) -> None:
    packets = list(RUN)
    packets[which] = packets[which][:at] + bytes([packets[which][at] ^ 0x10]) + packets[which][at + 1 :]
    assert written(block(packets)) == packets


def test_checksums_seen_all_at_once() -> None:
    whole = b"".join(RUN)
    assert intact(whole, len(RUN))
    assert not intact(whole[:-1] + bytes([whole[-1] ^ 1]), len(RUN))
