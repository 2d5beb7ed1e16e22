"""UDP datagrams over both address families."""

from __future__ import annotations

import pytest

from manageout.errors import WireError
from manageout.wire import ipv4, ipv6
from manageout.wire.checksum import pseudo, sum16
from tests.tools.packets import udp
from tests.vectors import vector


def split(name: str) -> tuple[bytes, bytes, bytes]:
    packet = vector(name)
    if packet[0] >> 4 == 4:
        header4, segment = ipv4.parse(packet)
        return header4.src, header4.dst, segment
    header6, segment = ipv6.parse(packet)
    return header6.src, header6.dst, segment


@pytest.mark.parametrize("name", ["SIIT_udp_v6", "SIIT_udp_v4", "SIIT_udp_csum0_v6_if_computed"])
def test_vectors_survive_the_round_trip(name: str) -> None:
    src, dst, segment = split(name)
    header, payload = udp.parse(src, dst, segment)
    assert payload == b"hello"
    assert udp.build(src, dst, header.source, header.destination, payload) == segment


def test_no_checksum_is_allowed_over_ipv4_alone() -> None:
    src, dst, segment = split("SIIT_udp_csum0_v4")
    assert udp.parse(src, dst, segment) == (udp.Udp(53, 40000), b"hello")
    with pytest.raises(WireError, match="without a checksum"):
        udp.parse(bytes(16), bytes(16), segment)


def test_a_checksum_of_zero_is_written_as_ones() -> None:
    src = dst = bytes(16)
    rest = 0xFFFF - sum16((pseudo(src, dst, 10, 17) + 1 + 2 + 10).to_bytes(8, "big"))
    segment = udp.build(src, dst, 1, 2, rest.to_bytes(2, "big"))
    assert segment[6:8] == b"\xff\xff"
    assert udp.parse(src, dst, segment) == (udp.Udp(1, 2), rest.to_bytes(2, "big"))


def test_padding_is_cut() -> None:
    src, dst, segment = split("SIIT_udp_v4")
    assert udp.parse(src, dst, segment + b"padding")[1] == b"hello"


def test_refuses() -> None:
    src, dst, segment = split("SIIT_udp_v4")
    with pytest.raises(WireError, match="truncated UDP header: 7 bytes"):
        udp.parse(src, dst, segment[:7])
    with pytest.raises(WireError, match="UDP length 13 of 12 bytes"):
        udp.parse(src, dst, segment[:-1])
    with pytest.raises(WireError, match="UDP length 7"):
        udp.parse(src, dst, segment[:4] + b"\0\7" + segment[6:])
    with pytest.raises(WireError, match="wrong UDP checksum"):
        udp.parse(src, dst, segment[:-1] + b"X")
    with pytest.raises(WireError, match="payload of 65528 bytes"):
        udp.build(src, dst, 1, 2, bytes(65528))
