"""Neighbour Discovery and multicast at the server, in both authentication modes ([MS-IPHTTPS] 3.2.5.2)."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

from manageout.protocol.iphttps.values import AddressBound, AddressReleased
from manageout.wire import icmpv6, ipv6, nd, numbers
from tests.tools.machines.iphttps import (
    BEYOND,
    GATEWAY,
    GATEWAY_LL,
    Site,
    advertise,
    dad,
    datagram,
    gua,
    ll,
)
from tests.vectors import vector

MLD = bytes.fromhex(
    "3a000502000001008f000000000000010400000000000000"
)  # hop-by-hop router alert, then a report
LLMNR = bytes.fromhex("ff020000000000000000000000010003")
ALL_MLD = bytes.fromhex("ff020000000000000000000000000016")


def two(mode: str, **changes: object) -> Site:
    """Two clients; the first holds gua(1) and ll(1), the second ll(2)."""
    site = Site(mode=mode, **changes)
    site.connect(1)
    site.connect(2)
    site.feed(1, dad(gua(1)) + dad(ll(1)))
    site.feed(2, dad(ll(2)))
    site.packets(1), site.packets(2)
    site.events.clear()
    return site


def solicit(src: bytes, target: bytes, dst: bytes | None = None) -> bytes:
    return nd.build(src, dst or nd.solicited_node(target), nd.NeighbourSolicitation(target))


both = pytest.mark.parametrize("mode", ["none", "certificates"])


# --- Router discovery -----------------------------------------------------------------------------------


@both
def test_a_router_solicitation_is_answered_to_its_sender(mode: str) -> None:
    site = two(mode)
    site.feed(2, nd.build(ll(2), nd.ALL_ROUTERS, nd.RouterSolicitation()))
    header, message = nd.parse(site.packets(2)[0])
    assert (header.src, header.dst, header.hop_limit) == (GATEWAY_LL, ll(2), 255)
    assert message == nd.parse(vector("IPHTTPS_RA_multicast"))[1]


NAMES: dict[str, Any] = {
    "dns": (IPv6Address("2001:db8:1:3333::1"),),
    "search": ("corp.example",),
    "nat64": (IPv6Network("2001:db8:1:7777::/96"),),
}


def names_options(packet: bytes) -> list[nd.Option]:
    message = nd.parse(packet)[1]
    assert isinstance(message, nd.RouterAdvertisement)
    return [o for o in message.options if isinstance(o, (nd.Rdnss, nd.Dnssl, nd.Pref64))]


@both
def test_rfc8106_5_1_and_5_2_and_rfc8781_4_1_names_are_advertised_for_three_intervals(mode: str) -> None:
    site = Site(mode=mode, **NAMES)
    site.connect(1)
    site.feed(1, nd.build(ll(1), nd.ALL_ROUTERS, nd.RouterSolicitation()))
    assert names_options(site.packets(1)[-1]) == [
        nd.Rdnss(1800, (IPv6Address("2001:db8:1:3333::1").packed,)),
        nd.Dnssl(1800, ("corp.example",)),
        nd.Pref64(IPv6Address("2001:db8:1:7777::").packed, 96, 1800),
    ]


@both
def test_rfc8106_5_1_names_are_withdrawn_at_the_end(mode: str) -> None:
    site = Site(mode=mode, **NAMES)
    site.connect(1)
    site.server.shutdown(site.now)
    site.pass_time(0)
    site.feed(1, b"")
    lifetimes = [getattr(o, "lifetime", None) for o in names_options(site.packets(1)[-1])]
    assert lifetimes == [0, 0, 0]


@both
def test_one_from_the_unspecified_address_is_answered_by_multicast(mode: str) -> None:
    site = two(mode)
    site.feed(2, nd.build(nd.UNSPECIFIED, nd.ALL_ROUTERS, nd.RouterSolicitation()))
    header, message = nd.parse(site.packets(2)[0])
    assert header.dst == nd.ALL_NODES and isinstance(message, nd.RouterAdvertisement)


@both
def test_advertisements_are_repeated_on_every_connection(mode: str) -> None:
    site = two(mode)
    for _ in range(15):
        site.pass_time(30)
        site.feed(1, datagram(ll(1), GATEWAY_LL))
        site.feed(2, datagram(ll(2), GATEWAY_LL))
    for number in (1, 2):
        headers = [nd.parse(packet)[0] for packet in site.packets(number)]
        assert [h.dst for h in headers] == [nd.ALL_NODES]


@both
def test_router_messages_of_clients_are_never_accepted(mode: str) -> None:
    site = two(mode)
    site.feed(1, nd.build(ll(1), nd.ALL_NODES, nd.RouterAdvertisement()))
    site.feed(1, nd.build(ll(1), GATEWAY_LL, nd.RouterAdvertisement()))
    redirect = icmpv6.build(ll(1), GATEWAY_LL, icmpv6.REDIRECT, 0, bytes(36))
    site.feed(1, ipv6.build(ll(1), GATEWAY_LL, numbers.ICMPV6, redirect, hop_limit=255))
    assert site.drops() == {"FROM_CLIENT_FORBIDDEN": 3}
    assert site.packets(1) == site.packets(2) == site.kernel() == []


# --- Duplicate Address Detection ------------------------------------------------------------------------


def test_none_the_server_answers_as_the_holder() -> None:
    site = Site(mode="none")
    site.connect(1)
    site.connect(2)
    site.feed(1, vector("IPHTTPS_DAD_NS"))
    assert site.packets(1) == []
    site.feed(2, vector("IPHTTPS_DAD_NS"))
    assert site.packets(2) == [vector("IPHTTPS_proxy_NA")]
    assert site.packets(1) == []


@both
def test_the_holder_is_not_told_that_its_address_is_a_duplicate(mode: str) -> None:
    site = two(mode)
    site.feed(1, dad(gua(1)))
    assert site.packets(1) == site.packets(2) == []


def test_none_a_free_address_is_bound_and_not_forwarded() -> None:
    site = two("none")
    site.feed(2, dad(gua(2)))
    assert site.packets(1) == site.packets(2) == []
    assert site.events == [AddressBound(2, gua(2))]


def test_certificates_detection_of_a_free_address_goes_to_all_others() -> None:
    site = two("certificates")
    site.connect(3)
    site.feed(2, dad(gua(2)))
    assert site.packets(1) == site.packets(3) == [dad(gua(2))]
    assert site.packets(2) == []


def test_certificates_detection_of_a_held_address_goes_to_its_holder_alone() -> None:
    site = two("certificates")
    site.connect(3)
    site.events.clear()
    site.feed(2, dad(gua(1)))
    assert site.packets(1) == [dad(gua(1))]
    assert site.packets(2) == site.packets(3) == []
    answer = advertise(gua(1), nd.ALL_NODES, gua(1))
    site.pass_time(0.1)
    site.feed(1, datagram(gua(1), BEYOND) + answer)
    assert site.packets(2) == [answer]
    assert site.packets(1) == site.packets(3) == []
    site.pass_time(2)
    assert site.events == []


@both
def test_the_gateways_own_addresses_are_defended(mode: str) -> None:
    site = two(mode)
    for target in (GATEWAY, GATEWAY_LL):
        site.feed(2, dad(target))
        header, message = nd.parse(site.packets(2)[0])
        assert (header.src, header.dst) == (target, nd.ALL_NODES)
        assert message == nd.NeighbourAdvertisement(target, router=True, override=True)
    assert site.packets(1) == []


@both
def test_an_address_outside_the_link_is_not_bound(mode: str) -> None:
    site = two(mode)
    site.feed(2, dad(BEYOND) + dad(gua(0)[:8] + bytes(8)))
    assert site.events == [] and site.drops() == {"NOT_OWNER": 2}


def test_one_address_too_many_is_refused_as_a_duplicate() -> None:
    site = Site(max_addresses=3)
    site.connect(1)
    for n in range(4):
        site.feed(1, dad(gua(n)))
    assert nd.parse(site.packets(1)[0])[1] == nd.NeighbourAdvertisement(gua(3))
    assert site.drops() == {"ADDRESS_LIMIT": 1}
    site.feed(1, datagram(gua(4), BEYOND))
    assert site.drops() == {"ADDRESS_LIMIT": 2} and site.kernel() == []


# --- Take-over ------------------------------------------------------------------------------------------


@both
def test_the_same_identity_takes_its_address_along_at_once(mode: str) -> None:
    site = Site(mode=mode)
    site.connect(1, "laptop")
    site.feed(1, dad(gua(1)))
    site.connect(2, "laptop")
    site.events.clear()
    site.feed(2, dad(gua(1)))
    assert site.packets(2) == []
    assert site.events == [AddressReleased(1, gua(1)), AddressBound(2, gua(1))]
    site.tell_kernel_side(datagram(BEYOND, gua(1)))
    assert len(site.packets(2)) == 1
    # What the old connection still had on its way cannot take it back.
    site.feed(1, datagram(gua(1), BEYOND))
    assert site.kernel() == [] and site.drops() == {"ADDRESS_TAKEN": 1}


def test_the_same_identity_takes_over_by_first_use() -> None:
    site = Site()
    site.connect(1, "laptop")
    site.feed(1, dad(gua(1)))
    site.connect(2, "laptop")
    site.feed(2, datagram(gua(1), BEYOND))
    assert site.kernel() == [datagram(gua(1), BEYOND)]


def test_none_a_silent_holder_loses_its_address_after_a_probe() -> None:
    site = two("none")
    site.pass_time(30)
    site.feed(2, dad(gua(1)))
    assert [nd.parse(p)[1] for p in site.packets(1)] == [nd.NeighbourSolicitation(gua(1))]
    assert site.packets(2) == []
    site.pass_time(0.8)
    assert site.events == []
    site.pass_time(0.2)
    assert site.events == [AddressReleased(1, gua(1)), AddressBound(2, gua(1))]
    assert site.packets(2) == []


def test_none_a_holder_that_answers_the_probe_keeps_it() -> None:
    site = two("none")
    site.pass_time(30)
    site.feed(2, dad(gua(1)))
    site.pass_time(0.3)
    site.feed(1, advertise(gua(1), GATEWAY_LL, gua(1), solicited=True))
    assert nd.parse(site.packets(2)[0])[1] == nd.NeighbourAdvertisement(gua(1))
    site.pass_time(2)
    assert site.events == []


def test_certificates_a_silent_holder_does_not_lose_its_address_to_another() -> None:
    site = two("certificates")
    site.pass_time(30)
    site.feed(2, dad(gua(1)))
    assert site.packets(1) == [dad(gua(1))]
    site.pass_time(1)
    assert site.events == []
    assert nd.parse(site.packets(2)[0])[1] == nd.NeighbourAdvertisement(gua(1))  # in time for its DAD
    site.feed(2, datagram(gua(1), BEYOND))
    assert site.kernel() == [] and site.drops() == {"ADDRESS_TAKEN": 1}


def test_certificates_a_live_holder_keeps_it_even_without_an_answer() -> None:
    site = two("certificates")
    site.pass_time(30)
    site.feed(2, dad(gua(1)))
    site.pass_time(0.5)
    site.feed(1, datagram(gua(1), BEYOND))
    site.pass_time(2)
    assert site.events == []
    assert nd.parse(site.packets(2)[0])[1] == nd.NeighbourAdvertisement(gua(1))


@both
def test_a_holder_that_disconnects_meanwhile_frees_the_address(mode: str) -> None:
    site = two(mode)
    site.pass_time(30)
    site.feed(2, dad(gua(1)))
    site.server.closed(1, "reset", site.now)
    site.pass_time(1)
    assert site.events[-1] == AddressBound(2, gua(1))


@both
def test_a_claimant_that_disconnects_meanwhile_gets_nothing(mode: str) -> None:
    site = two(mode)
    site.pass_time(30)
    site.feed(2, dad(gua(1)))
    site.server.closed(2, "reset", site.now)
    site.pass_time(2)
    assert AddressReleased(1, gua(1)) not in site.events


# --- Multicast ------------------------------------------------------------------------------------------


def multicasts() -> list[bytes]:
    mld = ipv6.build(ll(1), ALL_MLD, numbers.HOP_BY_HOP, MLD, hop_limit=1)
    return [mld, datagram(ll(1), LLMNR), solicit(ll(1), ll(2)), solicit(gua(1), gua(2))]


def test_none_no_multicast_is_forwarded() -> None:
    site = two("none")
    for packet in [*multicasts(), advertise(ll(1), nd.ALL_NODES, ll(1))]:
        site.feed(1, packet)
    assert site.packets(2) == site.kernel() == []
    assert site.drops() == {"MULTICAST": 5}


def test_certificates_multicast_goes_to_all_others() -> None:
    site = two("certificates", hairpin=True)
    site.connect(3)
    for packet in multicasts():
        site.feed(1, packet)
        assert site.packets(2) == site.packets(3) == [packet]
        assert site.packets(1) == []
    assert site.kernel() == [] and site.drops() == {}


def test_certificates_an_announcement_goes_to_nobody_who_did_not_ask() -> None:
    site = two("certificates")
    site.feed(1, advertise(ll(1), nd.ALL_NODES, gua(1)))
    assert site.packets(2) == []


@both
def test_multicast_of_the_kernel_stays_here(mode: str) -> None:
    site = two(mode)
    site.tell_kernel_side(datagram(GATEWAY_LL, nd.ALL_NODES))
    assert site.packets(1) == site.packets(2) == [] and site.drops() == {"MULTICAST": 1}


@both
def test_a_flood_of_discovery_is_limited(mode: str) -> None:
    site = two(mode)
    site.feed(1, solicit(ll(1), GATEWAY_LL, GATEWAY_LL) * 500)
    assert site.drops() == {"RATE_LIMITED": 500 - len(site.packets(1))}
    site.pass_time(1)
    site.feed(1, solicit(ll(1), GATEWAY_LL, GATEWAY_LL))
    assert len(site.packets(1)) == 1


# --- Reachability ---------------------------------------------------------------------------------------


@both
def test_the_server_answers_for_itself(mode: str) -> None:
    site = two(mode)
    for target in (GATEWAY, GATEWAY_LL):
        site.feed(1, solicit(ll(1), target, target))
        header, message = nd.parse(site.packets(1)[0])
        assert (header.src, header.dst) == (target, ll(1))
        assert message == nd.NeighbourAdvertisement(target, router=True, solicited=True, override=True)
    assert site.kernel() == []


def test_reachability_between_clients_follows_the_rules() -> None:
    site = two("none")
    site.feed(1, solicit(ll(1), ll(2), ll(2)))
    site.feed(1, solicit(gua(1), gua(2), gua(2)))
    assert site.drops() == {"LINK_LOCAL": 1, "HAIRPIN": 1}
    site = two("certificates", hairpin=True)
    site.feed(2, dad(gua(2)))
    site.packets(1)
    for packet in (solicit(ll(1), ll(2), ll(2)), solicit(gua(1), gua(2), gua(2))):
        site.feed(1, packet)
        assert site.packets(2) == [packet]
    site.feed(1, solicit(ll(1), ll(9), ll(9)))
    assert site.drops() == {"UNKNOWN_CLIENT": 1}


@both
def test_broken_messages_are_dropped(mode: str) -> None:
    site = two(mode)
    good = solicit(ll(1), GATEWAY_LL, GATEWAY_LL)
    site.feed(1, good[:7] + b"\x40" + good[8:])
    site.feed(1, good[:42] + b"\xff\xff" + good[44:])
    assert site.packets(1) == [] and site.drops() == {"ND_INVALID": 2}


@both
def test_an_advertisement_for_anothers_address_is_refused(mode: str) -> None:
    site = two(mode)
    site.feed(2, advertise(ll(2), nd.ALL_NODES, gua(1)))
    site.feed(2, advertise(gua(1), nd.ALL_NODES, gua(1)))
    assert site.packets(1) == [] and site.drops() == {"ADDRESS_TAKEN": 2}


def test_an_idle_address_is_solicited_and_then_released() -> None:
    site = two("none")
    for _ in range(20):
        site.pass_time(50)
        site.feed(1, datagram(ll(1), GATEWAY_LL))
    probes = [message for _, message in map(nd.parse, site.packets(1))]
    assert probes.count(nd.NeighbourSolicitation(gua(1))) == 3
    assert AddressReleased(1, gua(1)) in site.events
    assert AddressReleased(1, ll(1)) not in site.events


def test_an_address_kept_for_who_is_away_comes_to_nobody_else() -> None:
    site = Site()
    site.kept[gua(1)] = "laptop"
    site.connect(1, "other")
    site.feed(1, dad(gua(1)))
    assert nd.parse(site.packets(1)[0])[1] == nd.NeighbourAdvertisement(gua(1)), (
        "another host has it, says DAD"
    )
    site.feed(1, datagram(gua(1), BEYOND))
    assert site.kernel() == [] and site.drops() == {"ADDRESS_TAKEN": 2}
    site.connect(2, "laptop")
    site.feed(2, dad(gua(1)))
    assert AddressBound(2, gua(1)) in site.events
