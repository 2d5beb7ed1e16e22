"""The router's fast lane against the codec and the long way."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manageout.errors import WireError
from manageout.protocol.core.drops import Verdict
from manageout.protocol.core.prefixes import Prefix
from manageout.protocol.isatap.link import LinkRole, LinkState
from manageout.protocol.isatap.nd import (
    AdvertisementTemplate,
    answer_solicitation,
    is_plain_solicitation,
    link_local,
    link_local_forms,
)
from manageout.wire import ipv4, ipv6, nd
from manageout.wire.address import embedded_isatap, isatap_link_local

ROUTER, HOST = IPv4Address("10.0.0.1").packed, IPv4Address("10.0.1.30").packed
PREFIX = bytes.fromhex("fd123456789a0001") + bytes(8)
MESSAGE = nd.RouterAdvertisement(
    64,
    options=(
        nd.Mtu(1280),
        nd.PrefixInformation(PREFIX, 64, True, True, 86400, 14400),
        nd.RouteInformation(bytes.fromhex("fd123456789a1000") + bytes(8), 59, nd.Preference.HIGH, 1800),
    ),
)
RS = ipv4.build(
    HOST, ROUTER, 41, nd.build(isatap_link_local(HOST), nd.ALL_ROUTERS, nd.RouterSolicitation()), ident=7
)


def test_both_forms_embed_the_address() -> None:
    forms = link_local_forms(ROUTER)
    assert [form[:12].hex() for form in forms] == ["fe8000000000000000005efe", "fe8000000000000002005efe"]
    assert {embedded_isatap(form) for form in forms} == {ROUTER}


@given(
    st.sampled_from(["10.0.0.1", "203.0.113.5"]),
    st.binary(min_size=4, max_size=4),
    st.booleans(),
    st.integers(0, 65535),
)
def test_the_template_gives_what_the_codec_gives(locator: str, v4: bytes, u_bit: bool, ident: int) -> None:
    source = IPv4Address(locator).packed
    template = AdvertisementTemplate(source, MESSAGE)
    packet = template.address(v4, u_bit, ident)
    inner = nd.build(isatap_link_local(source), link_local(v4, u_bit), MESSAGE)
    assert packet == ipv4.build(source, v4, 41, inner, ttl=64, ident=ident)
    assert template.size == len(inner)


def test_a_plain_solicitation_is_recognised() -> None:
    assert is_plain_solicitation(RS)


def long_way(outer: bytes) -> bool:
    """What the fast lane claims, asked of the data path and the codec."""
    link = LinkState(LinkRole.ROUTER, prefixes=[PREFIX], locators=[ROUTER], allowed=[Prefix(bytes(4), 0)])
    result = link.decapsulate(outer, complete=True)
    if result.verdict is not Verdict.FORWARD:
        return False
    try:
        header, message = nd.parse(result.packet)
    except WireError:
        return False
    return isinstance(message, nd.RouterSolicitation) and embedded_isatap(header.src) == outer[12:16]


@given(st.integers(0, len(RS) - 1), st.integers(0, 255))
def test_a_damaged_one_is_recognised_only_if_the_long_way_agrees(position: int, value: int) -> None:
    damaged = RS[:position] + bytes([value]) + RS[position + 1 :]
    if is_plain_solicitation(damaged):
        assert long_way(damaged)


@given(st.integers(0, len(RS)), st.binary(max_size=4))
def test_another_length_is_never_plain(length: int, more: bytes) -> None:
    other = RS[:length] + more
    # Of the same length another one may be right: the checksum takes 0xffff for 0.
    assert len(other) == len(RS) or not is_plain_solicitation(other)


@given(st.lists(st.tuples(st.integers(0, len(RS) - 1), st.integers(0, 255)), max_size=3))
def test_repaired_damage_too(changes: list[tuple[int, int]]) -> None:
    """With both checksums set right again, so that the other rules decide."""
    packet = bytearray(RS)
    for position, value in changes:
        packet[position] = value
    packet[10:12] = packet[62:64] = bytes(2)
    packet[62:64] = (0xFFFF - ((int.from_bytes(packet[28:], "big") + 66) % 0xFFFF or 0xFFFF)).to_bytes(
        2, "big"
    )
    packet[10:12] = (0xFFFF - (int.from_bytes(packet[:20], "big") % 0xFFFF or 0xFFFF)).to_bytes(2, "big")
    if is_plain_solicitation(bytes(packet)) and packet[16:20] == ROUTER:
        refused = LinkState(LinkRole.ROUTER, locators=[ROUTER], allowed=[Prefix(bytes(4), 0)]).refusal(
            bytes(packet[12:16])
        )
        assert long_way(bytes(packet)) or refused


@pytest.mark.parametrize(
    ("source", "target", "answered"),
    [
        (isatap_link_local(HOST), isatap_link_local(ROUTER), True),
        (isatap_link_local(HOST), isatap_link_local(HOST), False),
        (nd.UNSPECIFIED, isatap_link_local(ROUTER), False),
    ],
)
def test_a_neighbour_solicitation_for_us_is_answered(source: bytes, target: bytes, answered: bool) -> None:
    header = ipv6.Ipv6(0, 0, 24, 58, 255, source, target)
    message = nd.NeighbourSolicitation(target)
    answer = answer_solicitation(header, message, {isatap_link_local(ROUTER)}, router=True)
    assert (answer is not None) is answered
    if answer is not None:
        assert nd.parse(answer)[1] == nd.NeighbourAdvertisement(target, router=True, solicited=True)
