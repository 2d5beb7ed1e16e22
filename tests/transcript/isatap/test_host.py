"""The ISATAP host, packet by packet."""

from __future__ import annotations

import math
from typing import Any

import pytest

from manageout.protocol.host.slaac import AddressRemoved, RouteRemoved
from manageout.protocol.isatap.end import TUN, UNDERLAY
from manageout.protocol.isatap.host import (
    HAND_OVER,
    LINGER,
    AddressSet,
    LinkChanged,
    MtuChanged,
    PeerSeen,
    RouterChanged,
    RouteSet,
)
from manageout.protocol.isatap.potential_router import Reach
from manageout.wire import icmpv4, icmpv6, ipv4, nd, numbers
from tests.tools.machines.isatap import (
    CLIENTS,
    HOST,
    KIOSK,
    LAPTOP,
    PREFIX,
    ROUTER,
    ROUTER_2,
    HostSite,
    RouterSite,
    datagram,
    error_of,
    inner,
    isatap,
    link_local,
    outer,
    v4,
    v6,
)

OTHER_LOCATOR = v4("10.0.2.7")
MEDIUM, HIGH, LOW = nd.Preference.MEDIUM, nd.Preference.HIGH, nd.Preference.LOW


def messages(sent: list[tuple[float, bytes]], start: float = 1000.0) -> list[tuple[float, str, bytes]]:
    """(seconds since the start, RS or NS, router) of what a host sent."""
    names = {nd.RouterSolicitation: "RS", nd.NeighbourSolicitation: "NS"}
    return [(when - start, names[type(inner(packet)[1])], packet[16:20]) for when, packet in sent]


# --- Solicitation -----------------------------------------------------------------------------------------


def test_three_solicitations_4_s_apart_then_every_120_s() -> None:
    host = HostSite(ROUTER)
    assert AddressSet(link_local(HOST), 0xFFFFFFFF, 0xFFFFFFFF) in host.told
    sent = host.passes(260)
    assert [when for when, _, _ in messages(sent)] == [0.5, 4.5, 8.5, 128.5, 248.5]
    header, message = inner(sent[0][1])
    assert message == nd.RouterSolicitation()
    assert (header.src, header.dst) == (link_local(HOST), nd.ALL_ROUTERS)
    assert sent[0][1][12:20] == HOST + ROUTER


def test_every_router_of_the_list_is_solicited() -> None:
    host = HostSite(ROUTER, ROUTER_2)
    assert {router for _, _, router in messages(host.passes(1))} == {ROUTER, ROUTER_2}


def test_without_an_ipv4_address_it_waits() -> None:
    host = HostSite(ROUTER, locator=b"")
    assert host.host.timer() is None
    assert host.passes(60) == []
    host.host.set_locator(HOST, host.now)
    assert messages(host.passes(1), host.now - 1)[0][1] == "RS"


def test_the_advertisement_is_confirmed_and_configures_address_and_route() -> None:
    host = HostSite(ROUTER)
    host.passes(1)
    host.underlay(outer(ROUTER, HOST, host.advertisement()))
    assert host.events() == [
        AddressSet(isatap(HOST), 86400, 14400),
        RouteSet(CLIENTS, 59, ROUTER, link_local(ROUTER), MEDIUM),
        RouterChanged(ROUTER, Reach.PROBE),
        LinkChanged(),
    ]
    assert host.host.link.prefixes == {PREFIX[:8]}
    assert host.host.link.end_point(LAPTOP) == ROUTER
    ((_, probe),) = host.passes(0)
    header, message = inner(probe)
    assert message == nd.NeighbourSolicitation(link_local(ROUTER))
    assert (header.src, header.dst) == (link_local(HOST), link_local(ROUTER))
    host.confirm()
    answer = nd.NeighbourAdvertisement(link_local(ROUTER), router=True, solicited=True)
    host.underlay(outer(ROUTER, HOST, nd.build(link_local(ROUTER), link_local(HOST), answer)))
    assert host.events() == [RouterChanged(ROUTER, Reach.REACHABLE)]


@pytest.mark.parametrize(
    ("fields", "wait"),
    [
        ({}, 0.8 * 1800),
        ({"router_lifetime": 100}, 120.0),
        ({"preferred": 600, "valid": 1000}, 480.0),
        ({"router_lifetime": 9000, "preferred": 2000}, 1600.0),
    ],
)
def test_it_asks_again_before_the_shortest_lifetime_ends(fields: dict[str, Any], wait: float) -> None:
    host = HostSite(ROUTER)
    host.advertise(**fields)
    assert host.host.next_solicitation() == pytest.approx(host.now + wait)
    sent = messages(host.passes(wait + 9), host.now - wait - 9)
    assert [(when, kind) for when, kind, _ in sent] == [(wait, "RS"), (wait + 4, "RS"), (wait + 8, "RS")]


# --- Whom to believe --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "source", "reason"),
    [
        (KIOSK, link_local(KIOSK), "nd-invalid"),
        (KIOSK, link_local(ROUTER), "source-mismatch"),
        (ROUTER_2, link_local(ROUTER), "nd-invalid"),
        (ROUTER, link_local(KIOSK), "nd-invalid"),
        (ROUTER, v6("fe80::1"), "nd-invalid"),
    ],
)
def test_an_advertisement_that_is_not_a_listed_routers_own_is_dropped(
    peer: bytes, source: bytes, reason: str
) -> None:
    host = HostSite(ROUTER, ROUTER_2)
    assert host.underlay(outer(peer, HOST, host.advertisement(source=source))) == []
    assert host.events() == []
    assert host.drops() == {reason: 1}


def test_either_form_of_the_routers_address_is_believed() -> None:
    host = HostSite(ROUTER)
    form = v6("fe80::200:5efe:a00:1")
    host.underlay(outer(ROUTER, HOST, host.advertisement(source=form)))
    (route,) = [event for event in host.events() if isinstance(event, RouteSet)]
    assert route.via == form


def test_a_solicitation_to_a_host_and_a_redirect_are_dropped() -> None:
    host = HostSite(ROUTER)
    host.underlay(outer(KIOSK, HOST, nd.build(link_local(KIOSK), link_local(HOST), nd.RouterSolicitation())))
    segment = icmpv6.build(link_local(ROUTER), link_local(HOST), icmpv6.REDIRECT, 0, bytes(36))
    redirect = bytearray(host.advertisement())[:40] + segment
    redirect[4:6] = len(segment).to_bytes(2, "big")
    host.underlay(outer(ROUTER, HOST, bytes(redirect)))
    assert host.drops() == {"nd-invalid": 2}


def test_a_spoofed_source_is_dropped() -> None:
    host = HostSite(ROUTER)
    host.advertise()
    assert host.underlay(outer(KIOSK, HOST, datagram(LAPTOP, isatap(HOST)))) == []
    assert host.underlay(outer(KIOSK, HOST, datagram(isatap(v4("10.0.0.9")), isatap(HOST)))) == []
    assert host.drops() == {"source-mismatch": 2}
    packet = datagram(LAPTOP, isatap(HOST))
    assert host.underlay(outer(ROUTER, HOST, packet)) == [(TUN, packet)]


# --- Reachability and fail-over ---------------------------------------------------------------------------


def test_a_quiet_router_becomes_stale_and_is_not_probed() -> None:
    host = HostSite(ROUTER, random=0.5)
    host.advertise()
    host.events()
    assert host.passes(200) == []
    assert host.events() == [RouterChanged(ROUTER, Reach.STALE)]


def test_traffic_makes_a_stale_router_prove_itself() -> None:
    host = HostSite(ROUTER)
    host.advertise()
    host.passes(31)
    ((to, _),) = host.tun(datagram(isatap(HOST), LAPTOP))
    assert to == UNDERLAY
    start = host.now
    sent = messages(host.passes(4.9), start)
    assert sent == []
    sent = messages(host.passes(1), start)
    assert sent == [(5.0, "NS", ROUTER)]
    host.confirm()


def test_the_fast_paths_traffic_counts_as_well() -> None:
    host = HostSite(ROUTER)
    host.advertise()
    host.passes(31)
    host.host.traffic(ROUTER, host.now)
    assert messages(host.passes(6), host.now - 6)[0] == (5.0, "NS", ROUTER)


def test_a_router_that_is_gone_is_replaced_by_the_other() -> None:
    host = HostSite(ROUTER, ROUTER_2)
    host.advertise(ROUTER, preference=HIGH)
    host.advertise(ROUTER_2)
    host.events()
    host.passes(31)
    host.tun(datagram(isatap(HOST), LAPTOP))
    host.events()
    start = host.now
    sent = messages(host.passes(8.5), start)
    assert sent[:3] == [(5.0, "NS", ROUTER), (6.0, "NS", ROUTER), (7.0, "NS", ROUTER)]
    assert (8.0, "RS", ROUTER) in sent
    assert host.events() == [
        RouterChanged(ROUTER, Reach.PROBE),
        RouteSet(CLIENTS, 59, ROUTER_2, link_local(ROUTER_2), MEDIUM),
        RouterChanged(ROUTER, Reach.UNREACHABLE),
        LinkChanged(),
    ]
    assert host.host.link.end_point(LAPTOP) == ROUTER_2
    # It comes back: only when it has answered a probe is it preferred again.
    host.underlay(outer(ROUTER, HOST, host.advertisement(ROUTER, preference=HIGH)))
    assert RouterChanged(ROUTER, Reach.PROBE) in host.events()
    assert host.host.link.end_point(LAPTOP) == ROUTER_2
    host.confirm(ROUTER)
    assert RouteSet(CLIENTS, 59, ROUTER, link_local(ROUTER), HIGH) in host.events()


def test_an_icmp_error_about_the_router_is_a_reason_to_verify_it_at_once() -> None:
    host = HostSite(ROUTER, ROUTER_2)
    host.advertise(ROUTER)
    host.advertise(ROUTER_2)
    ((_, sent),) = host.tun(packet := datagram(isatap(HOST), LAPTOP))
    error = ipv4.build(v4("10.0.1.1"), HOST, numbers.ICMP, icmpv4.unreachable(1, sent))
    ((to, told),) = host.underlay(error)
    assert to == TUN and error_of(told) == (1, icmpv6.ADDRESS_UNREACHABLE, packet)
    start = host.now
    assert messages(host.passes(3.5), start)[0] == (0.0, "NS", ROUTER)
    assert host.host.link.end_point(LAPTOP) == ROUTER_2


def test_routers_are_chosen_by_preference() -> None:
    host = HostSite(ROUTER, ROUTER_2)
    host.advertise(ROUTER, preference=LOW)
    assert host.host.link.end_point(LAPTOP) == ROUTER
    host.advertise(ROUTER_2, preference=MEDIUM)
    assert host.host.link.end_point(LAPTOP) == ROUTER_2
    host.advertise(ROUTER, preference=HIGH)
    assert host.host.link.end_point(LAPTOP) == ROUTER


def test_without_lifetime_there_is_no_default_route_and_with_it_there_is() -> None:
    host = HostSite(ROUTER)
    host.advertise()
    assert host.host.link.end_point(v6("2001:db8::1")) is None
    ((to, error),) = host.tun(packet := datagram(isatap(HOST), v6("2001:db8::1")))
    assert to == TUN and error_of(error) == (1, icmpv6.ADDRESS_UNREACHABLE, packet)
    host.advertise(default_route=True)
    assert host.host.link.end_point(v6("2001:db8::1")) == ROUTER


# --- Lifetimes --------------------------------------------------------------------------------------------


def test_a_route_ends_with_its_lifetime() -> None:
    host = HostSite(ROUTER)
    host.advertise(router_lifetime=300)
    host.events()
    host.passes(301)
    assert RouteRemoved(CLIENTS, 59) in host.events()
    assert host.host.link.end_point(LAPTOP) is None


def test_an_address_ends_with_its_valid_lifetime() -> None:
    host = HostSite(ROUTER)
    host.advertise(valid=600, preferred=300)
    host.events()
    host.passes(601)
    assert AddressRemoved(isatap(HOST)) in host.events()
    assert host.host.link.prefixes == frozenset()


def test_lifetime_0_deprecates_at_once_but_leaves_two_hours() -> None:
    host = HostSite(ROUTER)
    host.advertise()
    host.events()
    host.advertise(valid=0, preferred=0)
    assert AddressSet(isatap(HOST), 7200, 0) in host.events()


def test_a_farewell_takes_the_routes_away() -> None:
    host, site = HostSite(ROUTER), RouterSite()
    host.advertise()
    host.events()
    site.underlay(outer(HOST, ROUTER, datagram(isatap(HOST), LAPTOP)))
    site.router.farewell(3600, site.now)
    ((_, packet),) = site.router.transmit()
    host.underlay(packet)
    assert host.events()[:2] == [AddressSet(isatap(HOST), 7200, 0), RouteRemoved(CLIENTS, 59)]


# --- Change around us -------------------------------------------------------------------------------------


def test_another_own_ipv4_address_takes_prefixes_and_routes_along() -> None:
    host = HostSite(ROUTER)
    host.advertise()
    host.events()
    host.host.set_locator(OTHER_LOCATOR, host.now)
    events = host.events()
    assert set(events) >= {
        AddressRemoved(link_local(HOST)),
        AddressRemoved(isatap(HOST)),
        AddressSet(link_local(OTHER_LOCATOR), 0xFFFFFFFF, 0xFFFFFFFF),
        AddressSet(isatap(OTHER_LOCATOR), 86400, 14400),
        LinkChanged(),
    }
    assert not any(isinstance(event, RouteRemoved) for event in events)
    assert {kind for _, kind, _ in messages(host.passes(0))} == {"RS", "NS"}
    ((_, packet),) = host.tun(datagram(isatap(OTHER_LOCATOR), LAPTOP))
    assert packet[12:20] == OTHER_LOCATOR + ROUTER


def test_losing_the_ipv4_address_takes_everything_down_and_back_up() -> None:
    host = HostSite(ROUTER)
    host.advertise()
    host.events()
    host.host.set_locator(b"", host.now)
    assert set(host.events()) >= {AddressRemoved(isatap(HOST)), RouteRemoved(CLIENTS, 59)}
    # A packet that the kernel had sent by then: there is no address to refuse it from.
    assert host.tun(datagram(isatap(HOST), LAPTOP)) == [] and host.drops() == {"no-neighbour": 1}
    host.host.set_locator(HOST, host.now)
    assert RouteSet(CLIENTS, 59, ROUTER, link_local(ROUTER), MEDIUM) in host.events()


def test_a_new_record_brings_the_new_router_and_removes_the_old() -> None:
    host = HostSite(ROUTER)
    host.advertise()
    host.events()
    host.host.set_routers([ROUTER, ROUTER_2], host.now)
    assert messages(host.passes(1), host.now - 1) == [(0.5, "RS", ROUTER_2)]
    host.advertise(ROUTER_2)
    assert host.host.link.end_point(LAPTOP) == ROUTER
    host.host.set_routers([ROUTER_2], host.now)
    assert RouteSet(CLIENTS, 59, ROUTER_2, link_local(ROUTER_2), MEDIUM) in host.events()
    assert host.underlay(outer(ROUTER, HOST, host.advertisement(ROUTER))) == []
    assert host.drops() == {"nd-invalid": 1}
    assert not any(isinstance(event, AddressRemoved) for event in host.events())


def test_the_old_router_serves_until_the_new_one_has_advertised() -> None:
    host = HostSite(ROUTER)
    host.advertise()
    host.events()
    host.host.set_routers([ROUTER_2], host.now)
    assert not any(isinstance(event, RouteRemoved) for event in host.events())
    assert host.host.link.end_point(LAPTOP) == ROUTER
    assert messages(host.passes(1), host.now - 1) == [(0.5, "RS", ROUTER_2)]
    host.advertise(ROUTER_2)
    assert RouteSet(CLIENTS, 59, ROUTER_2, link_local(ROUTER_2), MEDIUM) in host.events()
    late = datagram(LAPTOP, isatap(HOST))
    assert host.underlay(outer(ROUTER, HOST, late)) == [(TUN, late)]
    host.passes(LINGER)
    assert list(host.host.routers) == [ROUTER_2]
    assert host.underlay(outer(ROUTER, HOST, late)) == []


def test_the_old_router_does_not_serve_for_ever() -> None:
    host = HostSite(ROUTER)
    host.advertise()
    host.events()
    host.host.set_routers([ROUTER_2], host.now)
    host.passes(HAND_OVER + 1)
    assert RouteRemoved(CLIENTS, 59) in host.events()
    assert list(host.host.routers) == [ROUTER_2]


def test_a_router_that_comes_back_stays() -> None:
    host = HostSite(ROUTER)
    host.advertise()
    host.host.set_routers([ROUTER_2], host.now)
    host.host.set_routers([ROUTER], host.now)
    host.passes(HAND_OVER + 1)
    assert list(host.host.routers) == [ROUTER]
    assert host.host.link.end_point(LAPTOP) == ROUTER


def test_a_name_without_addresses_ends_the_routes_but_not_the_address() -> None:
    host = HostSite(ROUTER)
    host.advertise()
    host.events()
    host.host.set_routers([], host.now)
    assert host.events() == [RouteRemoved(CLIENTS, 59), LinkChanged()]
    assert host.host.timer() is not None and math.isinf(host.host.next_solicitation())


def test_the_mtu_follows_the_router_within_bounds() -> None:
    host = HostSite(ROUTER)
    host.advertise(mtu=1400)
    assert MtuChanged(1400) in host.events()
    host.advertise(mtu=9000)
    host.advertise(mtu=1000)
    assert not any(isinstance(event, MtuChanged) for event in host.events())


# --- Other hosts ------------------------------------------------------------------------------------------


def test_hosts_of_the_link_talk_directly() -> None:
    host = HostSite(ROUTER)
    host.advertise()
    host.events()
    packet = datagram(isatap(KIOSK), isatap(HOST))
    assert host.underlay(outer(KIOSK, HOST, packet)) == [(TUN, packet)]
    assert host.events() == [PeerSeen(KIOSK)]
    ((_, answer),) = host.tun(datagram(isatap(HOST), isatap(KIOSK)))
    assert answer[12:20] == HOST + KIOSK


def test_a_neighbour_that_asks_is_answered() -> None:
    host = HostSite(ROUTER)
    ask = nd.build(link_local(ROUTER), link_local(HOST), nd.NeighbourSolicitation(link_local(HOST)))
    ((_, packet),) = host.underlay(outer(ROUTER, HOST, ask))
    assert inner(packet)[1] == nd.NeighbourAdvertisement(link_local(HOST), router=False, solicited=True)


# --- Both ends --------------------------------------------------------------------------------------------


def test_host_and_router_find_each_other() -> None:
    host, site = HostSite(ROUTER), RouterSite()
    for _ in range(40):
        for _, packet in host.passes(0.1):
            for _, reply in site.underlay(packet):
                host.underlay(reply)
        for _, packet in site.passes(0.1):
            host.underlay(packet)
    assert host.host.routers[ROUTER].reach is Reach.REACHABLE
    ((_, packet),) = host.tun(sent := datagram(isatap(HOST), LAPTOP))
    assert site.underlay(packet) == [(TUN, sent)]
    ((_, packet),) = site.tun(back := datagram(LAPTOP, isatap(HOST)))
    assert host.underlay(packet) == [(TUN, back)]
    assert host.drops() == site.drops() == {}
