"""ICMPv6 messages, and when an error may be sent at all (RFC 4443 2.4 (e))."""

from __future__ import annotations

import pytest

from manageout.errors import WireError
from manageout.wire import icmpv6, ipv6, numbers
from tests.vectors import vector

HOST = bytes.fromhex("20010db8cafe00000000000000000001")
SERVER = bytes.fromhex("0064ff9b0000000000000000c0000250")
ROUTER = bytes.fromhex("fd123456789a00010000000000000001")
ALL_NODES = bytes.fromhex("ff020000000000000000000000000001")
UDP = vector("SIIT_udp_v6")


def to(dst: bytes, src: bytes = HOST, next_header: int = 17, payload: bytes = b"") -> bytes:
    return ipv6.build(src, dst, next_header, payload)


@pytest.mark.parametrize(
    "name", ["SIIT_echo_v6", "SIIT_fragneeded_1480_v6", "SIIT_ptb_1400_v6", "ND_RS_allrouters"]
)
def test_vectors_survive_the_round_trip(name: str) -> None:
    header, segment = ipv6.parse(vector(name))
    message = icmpv6.parse(header.src, header.dst, segment)
    assert icmpv6.build(header.src, header.dst, message.type, message.code, message.body) == segment
    assert message.is_error == (message.type < 128)


def test_refuses() -> None:
    header, segment = ipv6.parse(vector("SIIT_echo_v6"))
    with pytest.raises(WireError, match="truncated ICMPv6 message: 3 bytes"):
        icmpv6.parse(header.src, header.dst, segment[:3])
    with pytest.raises(WireError, match="wrong ICMPv6 checksum"):
        icmpv6.parse(header.src, header.src, segment)


def read(packet: bytes | None) -> icmpv6.Icmpv6:
    assert packet is not None
    header, segment = ipv6.parse(packet)
    assert (header.src, header.dst, header.next_header) == (ROUTER, HOST, numbers.ICMPV6)
    return icmpv6.parse(ROUTER, HOST, segment)


def test_the_errors() -> None:
    too_big = read(icmpv6.packet_too_big(ROUTER, HOST, 1280, UDP))
    assert (too_big.type, too_big.code, too_big.body) == (2, 0, b"\0\0\5\0" + UDP)
    assert read(icmpv6.unreachable(ROUTER, HOST, icmpv6.ADDRESS_UNREACHABLE, UDP))[:2] == (1, 3)
    assert read(icmpv6.time_exceeded(ROUTER, HOST, UDP))[:2] == (3, 0)
    problem = read(icmpv6.parameter_problem(ROUTER, HOST, icmpv6.UNKNOWN_NEXT_HEADER, 6, UDP))
    assert problem == (4, 1, b"\0\0\0\6" + UDP)


def test_a_quotation_is_cut_at_the_minimum_mtu() -> None:
    original = to(SERVER, payload=bytes(1400))
    packet = icmpv6.packet_too_big(ROUTER, HOST, 1280, original)
    assert packet is not None and len(packet) == 1280
    assert read(packet).body[4:] == original[:1232]


ECHO = icmpv6.build(HOST, SERVER, icmpv6.ECHO_REQUEST, 0, bytes(4))
DESTINATION_OPTIONS = bytes.fromhex("3a00010400000000")


@pytest.mark.parametrize(
    "original",
    [
        UDP,
        to(SERVER, next_header=numbers.ICMPV6, payload=ECHO),
        to(SERVER, next_header=60, payload=DESTINATION_OPTIONS + ECHO),
        UDP[:48],
    ],
)
def test_may_answer(original: bytes) -> None:
    assert icmpv6.unreachable(ROUTER, HOST, 0, original) is not None


@pytest.mark.parametrize(
    "original",
    [
        to(SERVER, src=bytes(16)),
        to(SERVER, src=ALL_NODES),
        to(ALL_NODES),
        vector("SIIT_ptb_1400_v6"),
        to(
            SERVER,
            next_header=numbers.ICMPV6,
            payload=icmpv6.build(HOST, SERVER, icmpv6.REDIRECT, 0, bytes(36)),
        ),
        to(SERVER, next_header=numbers.ICMPV6),  # its type cannot be seen
        to(SERVER, next_header=60, payload=DESTINATION_OPTIONS),
        to(SERVER, next_header=44, payload=bytes.fromhex("3a00000800000001") + ECHO),
        to(SERVER, next_header=60, payload=b"\x3a\xff"),
        UDP[:39],
        vector("IPHTTPS_bad_version"),
    ],
)
def test_may_not_answer(original: bytes) -> None:
    assert icmpv6.unreachable(ROUTER, HOST, 0, original) is None
    assert icmpv6.time_exceeded(ROUTER, HOST, original) is None
    assert icmpv6.parameter_problem(ROUTER, HOST, icmpv6.ERRONEOUS_HEADER, 0, original) is None


def test_two_errors_may_answer_multicast() -> None:
    assert icmpv6.packet_too_big(ROUTER, HOST, 1280, to(ALL_NODES)) is not None
    assert icmpv6.parameter_problem(ROUTER, HOST, icmpv6.UNKNOWN_OPTION, 40, to(ALL_NODES)) is not None
