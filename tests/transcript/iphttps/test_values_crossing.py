"""What of one client reaches another, and in which forms it never does ([MS-IPHTTPS] 3.2.5.2, RFC 6980, RFC 7112)."""

from __future__ import annotations

import pytest

from manageout.wire import ipv6, nd, numbers
from tests.tools.machines.iphttps import BEYOND, GATEWAY_LL, Site, advertise, dad, datagram, gua, ll
from tests.transcript.iphttps.test_discovery import ALL_MLD, LLMNR, MLD, multicasts, solicit, two

both = pytest.mark.parametrize("mode", ["none", "certificates"])


@both
def test_without_hairpin_clients_hear_of_each_other_only_to_find_duplicates(mode: str) -> None:
    site = two(mode)
    site.connect(3)
    site.packets(3)
    everything = [
        *multicasts(),
        datagram(ll(1), bytes.fromhex("ff0200000000000000000000000000fb"), b"printer.local is me"),
        datagram(gua(1), bytes.fromhex("ff0e0000000000000000000000000001")),
        datagram(gua(1), nd.ALL_NODES),
        advertise(ll(1), nd.ALL_NODES, gua(1)),
        advertise(ll(1), ll(2), gua(1), solicited=True),
        solicit(ll(1), ll(2), ll(2)),
        solicit(ll(1), GATEWAY_LL),
        nd.build(ll(1), nd.ALL_ROUTERS, nd.RouterSolicitation()),
        nd.build(nd.UNSPECIFIED, nd.ALL_ROUTERS, nd.RouterSolicitation()),
        datagram(ll(1), ll(2)),
        datagram(gua(1), ll(2)),
        datagram(gua(1), gua(2)),
        ipv6.build(nd.UNSPECIFIED, ALL_MLD, numbers.HOP_BY_HOP, MLD, hop_limit=1),
    ]
    for packet in everything:
        site.feed(1, packet)
        assert site.packets(2) == site.packets(3) == []
    assert site.kernel() == []


def test_nothing_rides_on_what_finds_duplicates() -> None:
    site = two("certificates")
    site.connect(3)
    option = nd.UnknownOption(200, bytes(range(6)))
    elsewhere = nd.solicited_node(bytes(15) + b"\x07")
    for destination in (nd.solicited_node(gua(5)), elsewhere):
        target = gua(5) if destination != elsewhere else gua(6)
        site.feed(1, nd.build(nd.UNSPECIFIED, destination, nd.NeighbourSolicitation(target, (option,))))
        assert site.packets(2)[-1:] == site.packets(3)[-1:] == [dad(target)]
    site.feed(2, dad(gua(1)))
    assert site.packets(1) == [dad(gua(1))]
    defence = nd.NeighbourAdvertisement(gua(1), router=True, override=True, options=(option,))
    site.feed(1, nd.build(ll(1), nd.ALL_NODES, defence))
    assert site.packets(2) == [advertise(ll(1), nd.ALL_NODES, gua(1))]
    assert site.packets(3) == []


def fragment(src: bytes, dst: bytes, kind: int, data: bytes, offset: int = 0, more: bool = False) -> bytes:
    header = bytes((kind, 0)) + (offset // 8 << 3 | more).to_bytes(2, "big") + b"\0\0\0\7"
    return ipv6.build(src, dst, numbers.FRAGMENT, header + data, hop_limit=255)


def router_messages(src: bytes, dst: bytes) -> dict[str, list[bytes]]:
    """A Router Advertisement in every form in which it was smuggled past a switch."""
    whole = nd.build(src, dst, nd.RouterAdvertisement(64, router_lifetime=1800))
    message = whole[40:]
    options = bytes((numbers.ICMPV6, 0, 1, 4, 0, 0, 0, 0))
    return {
        "whole": [whole],
        "behind options": [
            ipv6.build(src, dst, numbers.DESTINATION_OPTIONS, options + message, hop_limit=255)
        ],
        "behind authentication": [
            ipv6.build(src, dst, numbers.AUTHENTICATION, bytes((58, 1)) + bytes(10) + message, hop_limit=255)
        ],
        "atomic": [fragment(src, dst, numbers.ICMPV6, message)],
        "two fragments": [
            fragment(src, dst, numbers.ICMPV6, message[:8], more=True),
            fragment(src, dst, numbers.ICMPV6, message[8:], 8),
        ],
        "in the second fragment": [
            fragment(src, dst, numbers.DESTINATION_OPTIONS, options, more=True),
            fragment(src, dst, numbers.DESTINATION_OPTIONS, message, 8),
        ],
        "overlapping": [
            fragment(src, dst, numbers.DESTINATION_OPTIONS, options + b"\x80" + bytes(7), more=True),
            fragment(src, dst, numbers.DESTINATION_OPTIONS, message, 8),
        ],
        "behind options in an atomic one": [
            fragment(src, dst, numbers.DESTINATION_OPTIONS, options + message)
        ],
    }


@both
@pytest.mark.parametrize("hairpin", [False, True])
@pytest.mark.parametrize("form", router_messages(ll(1), nd.ALL_NODES))
@pytest.mark.parametrize("to", ["all", "one", "one by its global address"])
def test_rfc7113_no_router_message_of_a_client_arrives_in_whatever_form(
    mode: str, hairpin: bool, form: str, to: str
) -> None:
    site = two(mode, hairpin=hairpin)
    site.feed(2, dad(gua(2)))
    site.packets(1), site.packets(2)
    target = {"all": nd.ALL_NODES, "one": ll(2)}.get(to, gua(2))
    packets = router_messages(ll(1), target)[form]
    first, later = packets[0], packets[1:]
    for packet in packets:
        site.feed(1, packet)
    arrived = site.packets(2)
    assert first not in arrived, "without it the others are nothing (RFC 8200 4.5)"
    assert arrived == [] or (hairpin and later and to != "all")


@both
@pytest.mark.parametrize("hairpin", [False, True])
def test_multicast_in_fragments_is_never_forwarded(mode: str, hairpin: bool) -> None:
    site = two(mode, hairpin=hairpin)
    data = datagram(ll(1), LLMNR, bytes(64))[40:]
    for offset, more in ((0, True), (8, False), (0, False)):
        site.feed(1, fragment(ll(1), LLMNR, numbers.UDP, data[offset : offset + 64], offset, more))
    assert site.packets(2) == [] and site.drops() == {"FRAGMENT_ILLEGAL": 3}


@both
def test_rfc7112_a_first_fragment_has_all_headers_wherever_it_goes(mode: str) -> None:
    site = two(mode)
    site.feed(1, fragment(gua(1), BEYOND, numbers.TCP, bytes(16), more=True))
    assert site.kernel() == [] and site.drops() == {"FRAGMENT_ILLEGAL": 1}
    good = [
        fragment(gua(1), BEYOND, numbers.TCP, bytes(24), more=True),
        fragment(gua(1), BEYOND, numbers.TCP, bytes(8), 24),
    ]
    for packet in good:
        site.feed(1, packet)
    assert site.kernel() == good


def test_clients_that_may_talk_may_use_fragments() -> None:
    site = two("certificates", hairpin=True)
    pieces = [
        fragment(ll(1), ll(2), numbers.UDP, datagram(ll(1), ll(2), bytes(56))[40:], more=True),
        fragment(ll(1), ll(2), numbers.UDP, bytes(8), 64),
    ]
    for piece in pieces:
        site.feed(1, piece)
    assert site.packets(2) == pieces


def test_one_client_does_not_use_up_the_multicast_of_all() -> None:
    site = Site(mode="certificates", hairpin=True)
    for number in range(1, 201):
        site.connect(number)
    for number in (1, 2):
        site.feed(number, dad(ll(number)))
    site.pass_time(10)
    for _ in range(100):
        site.feed(1, datagram(ll(1), LLMNR))
    assert 0 < len(site.packets(3)) - 1 <= 12, "but for our own advertisement"
    site.feed(2, datagram(ll(2), LLMNR, b"mine"))
    assert site.packets(3) == [datagram(ll(2), LLMNR, b"mine")]
