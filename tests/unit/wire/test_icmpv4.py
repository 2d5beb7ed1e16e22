"""ICMPv4 messages, and the quotations in its errors."""

from __future__ import annotations

import pytest

from manageout.errors import WireError
from manageout.wire import icmpv4, ipv4, numbers
from tests.tools.packets.icmpv4 import echo4, parameter_problem4
from tests.vectors import vector

TUNNELLED = vector("ISATAP_v4_RA")


def segment(name: str) -> bytes:
    return ipv4.parse(vector(name))[1]


def test_echo() -> None:
    packet = segment("SIIT_echo_v4")
    assert icmpv4.parse(packet) == icmpv4.Icmpv4(icmpv4.ECHO_REQUEST, 0, 0xBEEF0007, b"abcdefgh")
    assert echo4(0xBEEF, 7, b"abcdefgh") == packet
    assert icmpv4.parse(echo4(1, 2, b"", reply=True)).type == icmpv4.ECHO_REPLY


@pytest.mark.parametrize(
    ("name", "mtu"), [("SIIT_fragneeded_1480_v4", 1480), ("SIIT_fragneeded_1200_v4", 1200)]
)
def test_fragmentation_needed(name: str, mtu: int) -> None:
    message = icmpv4.parse(segment(name))
    assert (message.type, message.code) == (icmpv4.DESTINATION_UNREACHABLE, icmpv4.FRAGMENTATION_NEEDED)
    assert message.is_error and message.next_hop_mtu == mtu
    header, rest = message.quoted()
    assert (header.total_length, header.protocol, len(rest)) == (33, numbers.UDP, 8)
    assert icmpv4.unreachable(icmpv4.FRAGMENTATION_NEEDED, message.body, mtu) == segment(name)


def test_an_error_about_a_tunnel_quotes_the_inner_packet() -> None:
    message = icmpv4.parse(icmpv4.unreachable(icmpv4.HOST_UNREACHABLE, TUNNELLED))
    header, inner = message.quoted()
    assert (header.protocol, inner) == (numbers.PROTOCOL_41, vector("ND_RA_unicast_isatap"))
    assert message.next_hop_mtu == 0


def test_an_old_router_quotes_eight_bytes() -> None:
    header, inner = icmpv4.parse(icmpv4.time_exceeded(TUNNELLED[:28])).quoted()
    assert header.dst == bytes((10, 0, 0, 5)) and len(inner) == 8


def test_extensions_behind_a_quotation_are_left_out() -> None:
    """RFC 4884: 32 words of the packet, then a label stack."""
    extended = TUNNELLED[:128] + bytes.fromhex("2000 1234 0008 0101 00001101")
    _, rest = icmpv4.parse(icmpv4.build(icmpv4.Icmpv4(icmpv4.TIME_EXCEEDED, 0, 32 << 16, extended))).quoted()
    assert rest == TUNNELLED[20:128]
    redirect = icmpv4.Icmpv4(5, 1, int.from_bytes(bytes((10, 1, 0, 254)), "big"), TUNNELLED)
    assert redirect.quoted()[1] == TUNNELLED[20:]  # the word is an address there


def test_the_other_errors() -> None:
    assert icmpv4.parse(icmpv4.time_exceeded(TUNNELLED, 1)).code == 1
    problem = icmpv4.parse(parameter_problem4(20, TUNNELLED))
    assert (problem.type, problem.word) == (icmpv4.PARAMETER_PROBLEM, 20 << 24)


def test_an_error_fits_into_576_bytes() -> None:
    assert len(icmpv4.unreachable(1, bytes(4000))) == 576 - 20


def test_refuses() -> None:
    packet = segment("SIIT_echo_v4")
    with pytest.raises(WireError, match="truncated ICMP message: 7 bytes"):
        icmpv4.parse(packet[:7])
    with pytest.raises(WireError, match="wrong ICMP checksum"):
        icmpv4.parse(packet[:-1] + b"X")
    with pytest.raises(WireError, match="quotes no packet"):
        icmpv4.parse(packet).quoted()
    with pytest.raises(WireError, match="truncated IPv4 header"):
        icmpv4.parse(icmpv4.time_exceeded(TUNNELLED[:19])).quoted()
