"""The errors we send: about what, and about what never."""

from __future__ import annotations

import pytest

from manageout.protocol.translate.answers import Answers
from manageout.wire import icmpv4, icmpv6, ipv4, ipv6
from tests.tools.packets.icmpv4 import echo4
from tests.unit.protocol.translate.test_rules import OWN4, OWN6, datagram4, datagram6, mappings
from tests.unit.protocol.translate.test_whole import CLIENT, LEASE, SERVER, SERVER4, v4


def made(rate: float = 10.0) -> Answers:
    return Answers(mappings(), rate, rate)


def test_what_they_look_like() -> None:
    packet = made().unreachable4(datagram4(2000), 1, 0.0)
    assert packet is not None and len(packet) == 576
    header, body = ipv4.parse(packet)
    assert (header.src, header.dst, header.tos) == (OWN4, SERVER4, 0xC0)
    assert icmpv4.parse(body).body == datagram4(2000)[:548]
    packet = made().too_big6(datagram6(2000), 1400, 0.0)
    assert packet is not None and len(packet) == 1280
    header6, body = ipv6.parse(packet)
    assert (header6.src, header6.dst) == (OWN6, CLIENT)
    assert icmpv6.parse(OWN6, CLIENT, body).type == 2


@pytest.mark.parametrize(
    "original",
    [
        ipv4.build(SERVER4, LEASE, 1, icmpv4.unreachable(1, datagram4())),
        ipv4.build(SERVER4, LEASE, 1, b""),
        ipv4.build(SERVER4, LEASE, 17, bytes(8), fragment_offset=1),
        ipv4.build(v4("0.0.0.0"), LEASE, 17, bytes(8)),
        ipv4.build(v4("224.0.0.1"), LEASE, 17, bytes(8)),
        ipv4.build(SERVER4, v4("255.255.255.255"), 17, bytes(8)),
    ],
)
def test_rfc1812_4_3_2_7_never_about(original: bytes) -> None:
    assert made().time_exceeded4(original, 0.0) is None


def test_rfc1812_4_3_2_7_about_a_query() -> None:
    assert made().time_exceeded4(ipv4.build(SERVER4, LEASE, 1, echo4(1, 1, b"")), 0.0) is not None


@pytest.mark.parametrize(
    "original",
    [
        ipv6.build(CLIENT, SERVER, 58, icmpv6.build(CLIENT, SERVER, 1, 0, bytes(4))),
        ipv6.build(bytes(16), SERVER, 17, bytes(8)),
        ipv6.build(b"\xff" + CLIENT[1:], SERVER, 17, bytes(8)),
    ],
)
def test_rfc4443_2_4_e_never_about(original: bytes) -> None:
    assert made().time_exceeded6(original, 0.0) is None
    assert made().unreachable6(original, 0, 0.0) is None
    assert made().routing_header6(original, 43, 0.0) is None


def test_rfc4443_2_4_f_rate() -> None:
    answers = made(3.0)
    assert [answers.time_exceeded6(datagram6(), 50.0) is not None for _ in range(4)] == [
        True,
        True,
        True,
        False,
    ]
    assert answers.time_exceeded4(datagram4(), 50.4) is not None, "both families share one allowance"
    assert answers.unreachable4(datagram4(), 4, 50.4, 1400) is None
