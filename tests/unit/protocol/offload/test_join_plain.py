"""The stock stream where the device takes no super-packets: packets alone ([MS-IPHTTPS] 3.1.5.3)."""

from __future__ import annotations

import pytest

from manageout.errors import WireError
from manageout.protocol.offload.join import StockStream
from tests.vectors import value, vector

STREAM = vector("IPHTTPS_stream3")


def plain(limit: int) -> StockStream:
    return StockStream(limit, vnet_hdr=False)


def lengths(packets: list[bytes]) -> list[int]:
    return [len(packet) for packet in packets]


@pytest.mark.parametrize("cut", value("IPHTTPS_stream_split_at"))
def test_the_stream_cut_at_the_specified_places(cut: int) -> None:
    framer = plain(1500)
    packets = framer.feed(STREAM[:cut]) + framer.feed(STREAM[cut:])
    assert lengths(packets) == [48, 40, 56] and b"".join(packets) == STREAM
    assert framer.pending == 0


def test_the_stream_cut_twice_anywhere() -> None:
    for first in range(len(STREAM)):
        for second in range(first, len(STREAM), 7):
            framer = plain(1500)
            parts = (STREAM[:first], STREAM[first:second], STREAM[second:])
            assert b"".join(packet for part in parts for packet in framer.feed(memoryview(part))) == STREAM


def test_the_stream_byte_by_byte() -> None:
    framer = plain(1500)
    packets = []
    for count, byte in enumerate(STREAM, 1):
        packets += framer.feed(bytes((byte,)))
        assert framer.pending == count - sum(lengths(packets))
    assert lengths(packets) == [48, 40, 56]


def test_packets_are_bytes_of_their_own() -> None:
    data = bytearray(STREAM)
    packets = plain(1500).feed(memoryview(data))
    data[:] = bytes(len(data))
    assert b"".join(packets) == STREAM and all(type(packet) is bytes for packet in packets)


def test_another_version_is_seen_at_its_first_byte() -> None:
    with pytest.raises(WireError, match="not IPv6: version 4"):
        plain(1500).feed(vector("IPHTTPS_bad_version")[:1])
    framer = plain(1500)
    framer.feed(STREAM[:47])
    with pytest.raises(WireError, match="not IPv6: version 4"):
        framer.feed(STREAM[47:48] + b"\x45")


def test_the_limit_is_judged_by_the_header() -> None:
    with pytest.raises(WireError, match="oversize packet: 65575 bytes, at most 1500"):
        plain(1500).feed(vector("IPHTTPS_oversize_len")[:6])
    framer = plain(65575)
    assert framer.feed(vector("IPHTTPS_oversize_len")) == []
    assert lengths(framer.feed(bytes(65535))) == [65575]
    assert lengths(plain(48).feed(STREAM[:48])) == [48]
    with pytest.raises(WireError, match="oversize"):
        plain(47).feed(STREAM)
