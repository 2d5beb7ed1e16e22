"""Quoted packets: cut short, fragments, and what may not be quoted."""

from __future__ import annotations

import pytest

from manageout.protocol.core.drops import Drop
from manageout.protocol.translate.quote import Untranslatable, quote_to4, quote_to6
from manageout.wire import icmpv4, icmpv6, ipv4, ipv6
from tests.tools.packets import udp
from tests.tools.packets.icmpv4 import echo4
from tests.unit.protocol.translate.test_rules import mappings
from tests.unit.protocol.translate.test_whole import CLIENT, LEASE, SERVER, SERVER4

MAPS = mappings()
UDP6 = ipv6.build(CLIENT, SERVER, 17, udp.build(CLIENT, SERVER, 1, 2, b"data"))
UDP4 = ipv4.build(LEASE, SERVER4, 17, udp.build(LEASE, SERVER4, 1, 2, b"data"))


def test_rfc7915_4_3_and_5_3_whole_packets_both_ways() -> None:
    assert quote_to6(MAPS, UDP4) == UDP6
    assert quote_to4(MAPS, UDP6) == UDP4


@pytest.mark.parametrize("left", range(40, len(UDP6)))
def test_rfc7915_5_3_lengths_come_from_the_quoted_header(left: int) -> None:
    quoted = quote_to4(MAPS, UDP6[:left])
    assert len(quoted) == left - 20
    assert quoted[:20] == UDP4[:20], "the whole packet's length"
    assert quote_to6(MAPS, UDP4[: left - 20])[:40] == UDP6[:40]


def test_echo_both_ways() -> None:
    request6 = ipv6.build(CLIENT, SERVER, 58, icmpv6.build(CLIENT, SERVER, 128, 0, b"\0\1\0\2data"))
    request4 = ipv4.build(LEASE, SERVER4, 1, echo4(1, 2, b"data"))
    assert quote_to4(MAPS, request6) == request4
    assert quote_to6(MAPS, request4) == request6
    assert quote_to4(MAPS, request6[:40]) == request4[:20]


def test_fragments_both_ways() -> None:
    later4 = ipv4.build(LEASE, SERVER4, 17, bytes(16), ident=7, more_fragments=True, fragment_offset=3)
    later6 = quote_to6(MAPS, later4)
    assert ipv6.walk_extensions(later6).fragment == ipv6.Fragment(3, True, 7)
    assert quote_to4(MAPS, later6) == later4


def test_udp_without_a_checksum_stays_without() -> None:
    quoted = ipv4.build(LEASE, SERVER4, 17, UDP4[20:26] + bytes(2) + UDP4[28:])
    assert quote_to6(MAPS, quoted)[46:48] == b"\0\0"


def test_options_are_not_quoted() -> None:
    optioned = ipv4.build(LEASE, SERVER4, 17, UDP4[20:], options=b"\1\1\1\0")
    assert quote_to6(MAPS, optioned) == UDP6


@pytest.mark.parametrize("kind", [3, 4, 5, 11, 12])
def test_rfc7915_4_3_no_error_about_an_error(kind: int) -> None:
    inner = ipv4.build(LEASE, SERVER4, 1, icmpv4.build(icmpv4.Icmpv4(kind, 0, 0, UDP4)))
    with pytest.raises(Untranslatable) as caught:
        quote_to6(MAPS, inner)
    assert caught.value.reason is Drop.ERROR_IN_ERROR


@pytest.mark.parametrize(
    "quoted", [b"", UDP6, UDP4[:19], ipv4.build(LEASE, SERVER4, 1, bytes((13, 0)) + bytes(18))]
)
def test_what_is_no_ipv4_packet(quoted: bytes) -> None:
    with pytest.raises(Untranslatable):
        quote_to6(MAPS, quoted)


@pytest.mark.parametrize(
    "quoted",
    [
        b"",
        UDP4,
        UDP6[:39],
        ipv6.build(bytes(16), SERVER, 17, UDP6[40:]),
        ipv6.build(CLIENT, CLIENT[:15] + b"\7", 17, UDP6[40:]),
        ipv6.build(CLIENT, SERVER, 44, bytes((60, 0, 0, 1, 0, 0, 0, 1)) + bytes(16)),
        ipv6.build(CLIENT, SERVER, 60, b"\x11"),
        ipv6.build(CLIENT, SERVER, 58, bytes((135, 0)) + bytes(22)),
        ipv6.build(CLIENT, SERVER, 58, bytes((1, 0)) + bytes(22)),
    ],
)
def test_what_is_no_translatable_ipv6_packet(quoted: bytes) -> None:
    with pytest.raises(Untranslatable):
        quote_to4(MAPS, quoted)
