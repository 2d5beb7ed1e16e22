"""Transports behind the header: what is adjusted, what is passed on, what cannot be."""

from __future__ import annotations

import pytest

from manageout.protocol.core.drops import Drop
from manageout.protocol.translate.extension_headers import Chain
from manageout.protocol.translate.quote import FOREIGN4, FOREIGN6, Untranslatable
from manageout.protocol.translate.rules import Translator
from manageout.protocol.translate.transport import Transport
from manageout.protocol.translate.whole import Mtus
from manageout.wire import ipv4, ipv6
from manageout.wire.ipv6 import Fragment
from tests.tools.packets import udp
from tests.unit.protocol.translate.test_rules import mappings
from tests.unit.protocol.translate.test_whole import CLIENT, LEASE, SERVER, SERVER4

TRANSPORT = Transport(mappings(), Mtus(), True)
HEADER6 = ipv6.parse_header(ipv6.build(CLIENT, SERVER, 17, b""))
DATAGRAM4 = udp.build(SERVER4, LEASE, 53, 40000, b"data")
DATAGRAM6 = udp.build(CLIENT, SERVER, 40000, 53, b"data")


def to6(protocol: int, body: bytes, offset: int = 0) -> bytes:
    header, _ = ipv4.parse(ipv4.build(SERVER4, LEASE, protocol, b"", fragment_offset=offset))
    return TRANSPORT.to6(header, body, SERVER, CLIENT, False)


def to4(protocol: int, body: bytes, offset: int = 0) -> bytes:
    fragment = Fragment(offset, False, 1) if offset else None
    return TRANSPORT.to4(HEADER6, Chain(protocol, 40, fragment, None, False), body, LEASE, SERVER4, None)


def test_udp_both_ways() -> None:
    assert udp.parse(SERVER, CLIENT, to6(17, DATAGRAM4))
    assert udp.parse(LEASE, SERVER4, to4(17, DATAGRAM6))


def test_rfc768_a_checksum_that_becomes_zero_is_ffff() -> None:
    """At both speeds, both ways: of all ports one gives the sum that would be written as 0."""
    twin = Translator(mappings(), random=lambda: 0.5)
    both = []
    for port in range(0x10000):
        body = udp.build(CLIENT, SERVER, 1, port, b"")
        if to4(17, body)[6:8] == b"\xff\xff":
            udp.parse(LEASE, SERVER4, to4(17, body))
            packet = ipv6.build(CLIENT, SERVER, 17, body)
            both.append((twin.fast(packet, 1).packet, twin.to_ipv4(packet, 1, 0.0)[0].packet))
        back = udp.build(SERVER4, LEASE, 1, port, b"")
        if to6(17, back)[6:8] == b"\xff\xff":
            udp.parse(SERVER, CLIENT, to6(17, back))
            packet = ipv4.build(SERVER4, LEASE, 17, back)
            both.append((twin.fast(packet, 1).packet, twin.to_ipv6(packet, 0.0)[0].packet))
    assert {len(quick) for quick, _ in both} == {28, 48}
    assert all(quick == slow and quick[-2:] == b"\xff\xff" for quick, slow in both)


def test_rfc6936_udp_over_ipv6_without_a_checksum_stays_without() -> None:
    body = DATAGRAM6[:6] + bytes(2) + DATAGRAM6[8:]
    assert to4(17, body) == body


@pytest.mark.parametrize("protocol", [6, 17, 132, 50])
def test_later_fragments_are_passed_on(protocol: int) -> None:
    assert to6(protocol, b"x", 5) == b"x" == to4(protocol, b"x", 5)


@pytest.mark.parametrize(("protocol", "size"), [(6, 19), (17, 7), (1, 7)])
def test_too_short_for_its_own_header(protocol: int, size: int) -> None:
    for translate, number in ((to6, protocol), (to4, 58 if protocol == 1 else protocol)):
        with pytest.raises(Untranslatable) as caught:
            translate(number, b"\1" * size)
        assert caught.value.reason is Drop.MALFORMED


@pytest.mark.parametrize("length", [7, 13])
def test_udp_length_that_does_not_fit_cannot_be_summed(length: int) -> None:
    with pytest.raises(Untranslatable) as caught:
        to6(17, DATAGRAM4[:4] + length.to_bytes(2, "big") + bytes(2) + DATAGRAM4[8:])
    assert caught.value.reason is Drop.MALFORMED


@pytest.mark.parametrize("offset", [0, 5])
@pytest.mark.parametrize(
    ("family", "protocol"), [*((4, n) for n in sorted(FOREIGN4)), *((6, n) for n in FOREIGN6)]
)
def test_numbers_that_mean_something_else_in_the_other_family(
    family: int, protocol: int, offset: int
) -> None:
    """ICMPv6 behind an IPv4 header would come out as a message that nobody checked."""
    with pytest.raises(Untranslatable) as caught:
        (to6 if family == 4 else to4)(protocol, bytes(40), offset)
    assert caught.value.reason is Drop.PROTOCOL_FORBIDDEN
