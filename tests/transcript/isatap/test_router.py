"""The ISATAP router, packet by packet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from manageout.protocol.isatap.end import TUN, UNDERLAY
from manageout.protocol.isatap.nd import is_plain_solicitation, link_local_forms
from manageout.protocol.isatap.router import HostForgotten, HostSeen
from manageout.wire import icmpv4, icmpv6, ipv4, ipv6, nd, numbers
from tests.tools.machines.isatap import (
    CLIENTS,
    HOST,
    KIOSK,
    LAPTOP,
    PREFIX,
    ROUTER,
    ROUTER_2,
    WALL,
    RouterSite,
    datagram,
    error_of,
    inner,
    isatap,
    link_local,
    outer,
    solicitation,
    v4,
    v6,
)
from tests.vectors import vector

U_SET = v6("fe80::200:5efe:a00:11e")


# --- Solicitations ----------------------------------------------------------------------------------------


def test_a_solicitation_is_answered_after_a_random_delay() -> None:
    site = RouterSite(random=0.5)
    assert site.underlay(solicitation()) == []
    assert site.events == [HostSeen(HOST, ROUTER)]
    assert site.passes(0.2) == []
    ((to, packet),) = site.passes(0.3)
    assert to == UNDERLAY
    header, message = inner(packet)
    assert packet[12:20] == ROUTER + HOST
    assert (header.src, header.dst) == (link_local(ROUTER), link_local(HOST))
    assert message == nd.RouterAdvertisement(
        hop_limit=64,
        options=(
            nd.Mtu(1280),
            nd.PrefixInformation(PREFIX, 64, True, True, 86400, 14400),
            nd.RouteInformation(CLIENTS, 59, nd.Preference.MEDIUM, 1800),
        ),
    )


@pytest.mark.parametrize("draw", [0.0, 0.25, 0.999])
def test_the_delay_is_never_more_than_half_a_second(draw: float) -> None:
    site = RouterSite(random=draw)
    site.underlay(solicitation())
    assert len(site.passes(0.5)) == 1


@pytest.mark.parametrize("target", [nd.ALL_ROUTERS, *link_local_forms(ROUTER)])
@pytest.mark.parametrize("source", link_local_forms(HOST))
def test_every_form_is_answered_to_the_form_that_asked(target: bytes, source: bytes) -> None:
    site = RouterSite()
    site.underlay(solicitation(source=source, target=target))
    ((_, packet),) = site.passes(1)
    assert inner(packet)[0].dst == source
    assert inner(packet)[0].src == link_local(ROUTER)


def test_the_vector_is_answered() -> None:
    site = RouterSite(locators=(v4("10.0.0.1"), v4("192.0.2.9")))
    packet = vector("ISATAP_v4_RS")
    assert is_plain_solicitation(packet)
    site.router.configure(site.config, site.link("10.0.0.0/24"))
    site.underlay(packet)
    assert len(site.passes(1)) == 1


def test_the_answer_comes_from_the_locator_that_was_asked() -> None:
    site = RouterSite(locators=(ROUTER, v4("203.0.113.5")))
    site.underlay(solicitation(dst=v4("203.0.113.5")))
    ((_, packet),) = site.passes(1)
    assert packet[12:16] == v4("203.0.113.5")
    assert inner(packet)[0].src == v6("fe80::200:5efe:cb00:7105")


def test_a_host_that_asks_again_while_it_waits_is_answered_once() -> None:
    site = RouterSite()
    for _ in range(5):
        site.underlay(solicitation())
    assert len(site.passes(1)) == 1
    site.underlay(solicitation())
    assert len(site.passes(1)) == 1


def test_the_long_way_says_the_same_as_the_fast_lane() -> None:
    """A solicitation with a link-layer option is not plain; first contact is the long way too."""
    plain, other = RouterSite(), RouterSite()
    plain.underlay(solicitation())
    plain.passes(1)
    other.underlay(solicitation())
    other.passes(1)
    plain.underlay(solicitation())
    other.underlay(solicitation(options=(nd.LinkLayer(1, HOST + bytes(2)),)))
    assert is_plain_solicitation(solicitation())
    first, second = plain.passes(1), other.passes(1)
    assert [(to, packet[20:]) for to, packet in first] == [(to, packet[20:]) for to, packet in second]


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (solicitation(KIOSK), "host-not-allowed"),
        (solicitation(v4("224.0.0.9"), source=link_local(HOST)), "outer-source-illegal"),
        (solicitation(source=link_local(KIOSK)), "source-mismatch"),
        (solicitation(source=U_SET[:15] + b"\x05"), "source-mismatch"),
        (solicitation(target=link_local(KIOSK)), "nd-invalid"),
        (solicitation(target=nd.ALL_NODES), "nd-invalid"),
        (
            outer(HOST, ROUTER, nd.build(nd.UNSPECIFIED, nd.ALL_ROUTERS, nd.RouterSolicitation())),
            "source-mismatch",
        ),
        (solicitation()[:60], "truncated"),
        (solicitation(ROUTER), "loop"),
    ],
)
def test_a_bad_solicitation_is_dropped_by_name(packet: bytes, reason: str) -> None:
    site = RouterSite()
    assert site.underlay(packet) == [] == site.passes(1)
    assert site.drops() == {reason: 1}
    assert len(site.registry) == 0


def test_a_hop_limit_below_255_is_not_neighbour_discovery() -> None:
    packet = bytearray(nd.build(link_local(HOST), nd.ALL_ROUTERS, nd.RouterSolicitation()))
    packet[7] = 254
    site = RouterSite()
    site.underlay(outer(HOST, ROUTER, bytes(packet)))
    assert site.passes(1) == []
    assert site.drops() == {"nd-invalid": 1}


def test_a_locator_that_is_not_ours_is_not_served() -> None:
    site = RouterSite()
    site.underlay(solicitation(dst=v4("10.0.0.77")))
    assert site.passes(1) == []


def test_more_solicitations_than_the_limit_are_dropped_until_the_next_second() -> None:
    site = RouterSite(rs_per_second=2)
    for last in range(1, 5):
        site.underlay(solicitation(v4(f"10.0.2.{last}")))
    assert len(site.passes(1)) == 2
    assert site.drops() == {"rate-limited": 2}
    site.underlay(solicitation(v4("10.0.2.9")))
    assert len(site.passes(1)) == 1


# --- What is advertised -----------------------------------------------------------------------------------


def advertised(site: RouterSite) -> nd.RouterAdvertisement:
    site.underlay(solicitation())
    message = inner(site.passes(1)[0][1])[1]
    assert isinstance(message, nd.RouterAdvertisement)
    return message


def test_without_a_default_route_the_preference_stays_out_of_the_header() -> None:
    site = RouterSite(preference=nd.Preference.HIGH)
    message = advertised(site)
    assert (message.router_lifetime, message.preference) == (0, nd.Preference.MEDIUM)
    (route,) = [option for option in message.options if isinstance(option, nd.RouteInformation)]
    assert route.preference is nd.Preference.HIGH


def test_a_default_route_is_an_explicit_option() -> None:
    message = advertised(RouterSite(preference=nd.Preference.LOW, default_route=True, router_lifetime=900))
    assert (message.router_lifetime, message.preference) == (900, nd.Preference.LOW)


def test_a_retired_prefix_is_advertised_with_lifetime_0() -> None:
    old = v6("2002:c000:201:1::")
    prefixes = [
        option
        for option in advertised(RouterSite(retired=(old,))).options
        if isinstance(option, nd.PrefixInformation)
    ]
    assert [(option.prefix, option.valid, option.preferred) for option in prefixes] == [
        (PREFIX, 86400, 14400),
        (old, 0, 0),
    ]


def test_farewell_tells_the_active_hosts_that_all_is_gone() -> None:
    site = RouterSite(default_route=True)
    advertised(site)
    site.router.farewell(3600, site.now)
    ((_, packet),) = site.router.transmit()
    message = inner(packet)[1]
    assert isinstance(message, nd.RouterAdvertisement)
    lifetimes = [
        option.lifetime if isinstance(option, nd.RouteInformation) else option.valid
        for option in message.options
        if isinstance(option, nd.RouteInformation | nd.PrefixInformation)
    ]
    assert (message.router_lifetime, lifetimes) == (0, [0, 0])
    site.now += 7200
    site.router.farewell(3600, site.now)
    assert site.router.transmit() == []


# --- Neighbours -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [link_local(ROUTER), isatap(ROUTER)])
def test_a_neighbour_solicitation_is_answered_without_options(target: bytes) -> None:
    site = RouterSite()
    ask = nd.build(link_local(HOST), target, nd.NeighbourSolicitation(target))
    ((to, packet),) = site.underlay(outer(HOST, ROUTER, ask))
    header, message = inner(packet)
    assert to == UNDERLAY and packet[12:20] == ROUTER + HOST
    assert (header.src, header.dst) == (target, link_local(HOST))
    assert message == nd.NeighbourAdvertisement(target, router=True, solicited=True, override=False)


def test_a_solicitation_for_someone_else_is_ignored() -> None:
    site = RouterSite()
    ask = nd.build(link_local(HOST), link_local(ROUTER), nd.NeighbourSolicitation(link_local(KIOSK)))
    assert site.underlay(outer(HOST, ROUTER, ask)) == []


def test_advertisements_and_redirects_do_not_reach_the_kernel() -> None:
    site = RouterSite()
    advertisement = nd.NeighbourAdvertisement(link_local(HOST), solicited=True)
    assert (
        site.underlay(outer(HOST, ROUTER, nd.build(link_local(HOST), link_local(ROUTER), advertisement)))
        == []
    )
    segment = icmpv6.build(link_local(HOST), link_local(ROUTER), icmpv6.REDIRECT, 0, bytes(36))
    redirect = ipv6.build(link_local(HOST), link_local(ROUTER), 58, segment, hop_limit=255)
    assert site.underlay(outer(HOST, ROUTER, redirect)) == []
    hidden = ipv6.build(
        link_local(HOST), link_local(ROUTER), 60, b"\x3a\x00\x01\x04\0\0\0\0" + segment, hop_limit=255
    )
    assert site.underlay(outer(HOST, ROUTER, hidden)) == []
    assert site.drops() == {"nd-invalid": 2}


# --- Data -------------------------------------------------------------------------------------------------


def test_a_packet_from_an_allowed_host_goes_to_the_kernel_and_is_counted() -> None:
    site = RouterSite()
    packet = datagram(isatap(HOST), LAPTOP)
    assert site.underlay(outer(HOST, ROUTER, packet)) == [(TUN, packet)]
    assert site.tun(datagram(LAPTOP, isatap(HOST)))[0][1][12:20] == ROUTER + HOST
    record = site.registry.record(HOST)
    assert record is not None
    assert record[5:9] == (1, len(packet), 1, len(packet))
    assert (record.first_seen, record.last_packet, record.last_rs) == (WALL, WALL, 0)


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (outer(KIOSK, ROUTER, datagram(isatap(KIOSK), LAPTOP)), "host-not-allowed"),
        (outer(HOST, ROUTER, datagram(isatap(KIOSK), LAPTOP)), "source-mismatch"),
        (outer(HOST, ROUTER, datagram(LAPTOP, isatap(HOST))), "source-mismatch"),
        (outer(HOST, ROUTER, datagram(v6("::1"), LAPTOP)), "source-illegal"),
        (outer(HOST, ROUTER, datagram(isatap(HOST), v6("2001:db8::5efe:a00:1"))), "loop"),
        (outer(HOST, ROUTER, datagram(isatap(HOST), v6("2002:a00:1::1"))), "loop"),
        (outer(HOST, ROUTER, datagram(isatap(HOST), v6("::ffff:1.2.3.4"))), "destination-illegal"),
        (outer(HOST, ROUTER, datagram(isatap(HOST), v6("ff02::1"))), "destination-illegal"),
        (outer(HOST, ROUTER, datagram(isatap(HOST), LAPTOP), tos=3), "ecn"),
        (outer(HOST, ROUTER, b"\x45" + bytes(60)), "not-ipv6"),
    ],
)
def test_a_packet_that_breaks_a_rule_is_dropped_by_name_and_source(packet: bytes, reason: str) -> None:
    site = RouterSite()
    assert site.underlay(packet) == []
    assert site.drops() == {reason: 1}
    (row,) = site.router.drops.by_source()
    assert (row.reason.label, row.source, row.times, row.last) == (reason, packet[12:16], 1, site.now)


def test_the_loop_packet_of_rfc_6324_is_dropped_at_both_routers() -> None:
    """Two routers, one realm: src = Addr(P1, a2), dst = Addr(P2, a1) would circulate 255 times."""
    first, second = RouterSite(), RouterSite(prefix=v6("2001:db8:2:1::"), locators=(ROUTER_2,))
    first.router.configure(first.config, first.link("10.0.0.0/8"))
    second.router.configure(second.config, second.link("10.0.0.0/8"))
    packet = datagram(isatap(ROUTER_2), isatap(ROUTER, v6("2001:db8:2:1::")), hop_limit=255)
    assert second.tun(packet) == []
    assert second.drops() == {"loop": 1}
    assert first.underlay(outer(ROUTER_2, ROUTER, packet)) == []
    assert first.drops() == {"loop": 1}


def test_a_sibling_router_is_no_host() -> None:
    site = RouterSite()
    site.router.configure(site.config, site.link("10.0.0.0/8", routers=(ROUTER_2,)))
    assert site.underlay(solicitation(ROUTER_2)) == [] == site.passes(1)
    assert site.drops() == {"loop": 1}


def test_a_kernel_packet_without_a_tunnel_end_is_refused_with_an_error() -> None:
    site = RouterSite()
    packet = datagram(LAPTOP, v6("fd12:3456:789a:1::99"))
    ((to, error),) = site.tun(packet)
    assert to == TUN
    assert error[8:24] == isatap(ROUTER) and error[24:40] == LAPTOP
    assert error_of(error) == (1, icmpv6.ADDRESS_UNREACHABLE, packet)
    packet = datagram(LAPTOP, isatap(KIOSK))
    ((_, error),) = site.tun(packet)
    assert error_of(error) == (1, icmpv6.PROHIBITED, packet)


def test_the_kernels_own_multicast_goes_nowhere_quietly() -> None:
    site = RouterSite()
    assert site.tun(datagram(link_local(ROUTER), v6("ff02::16"))) == []
    assert site.drops() == {}


def test_errors_are_limited() -> None:
    site = RouterSite()
    packet = datagram(LAPTOP, isatap(KIOSK))
    sent = sum(len(site.tun(packet)) for _ in range(500))
    assert sent == 50
    site.now += 1
    assert len(site.tun(packet)) == 1


def test_traffic_to_an_unknown_allowed_host_does_not_register_it() -> None:
    site = RouterSite()
    assert len(site.tun(datagram(LAPTOP, isatap(v4("10.0.2.5"))))) == 1
    assert len(site.registry) == 0


# --- Stale sources and failures ---------------------------------------------------------------------------


def test_a_stale_source_is_told_to_choose_another() -> None:
    old = v6("fd99:1:1:1::")
    site = RouterSite()
    packet = datagram(isatap(HOST, old), LAPTOP)
    ((to, answer),) = site.underlay(outer(HOST, ROUTER, packet))
    assert to == UNDERLAY and answer[12:20] == ROUTER + HOST
    assert answer[20:][24:40] == isatap(HOST, old)
    assert error_of(answer[20:]) == (1, icmpv6.POLICY, packet)
    assert site.passes(1) == []
    assert site.drops() == {"source-mismatch": 1}


def test_a_source_in_a_retired_prefix_gets_the_advertisement_that_ends_it() -> None:
    old = v6("fd99:1:1:1::")
    site = RouterSite(retired=(old,))
    site.underlay(outer(HOST, ROUTER, datagram(isatap(HOST, old), LAPTOP)))
    ((_, packet),) = site.passes(1)
    message = inner(packet)[1]
    assert isinstance(message, nd.RouterAdvertisement)
    assert nd.PrefixInformation(old, 64, True, True, 0, 0) in message.options


def test_a_spoofed_stale_source_is_not_answered() -> None:
    site = RouterSite()
    assert site.underlay(outer(HOST, ROUTER, datagram(isatap(KIOSK, v6("fd99::")), LAPTOP))) == []
    assert site.underlay(outer(KIOSK, ROUTER, datagram(isatap(KIOSK, v6("fd99::")), LAPTOP))) == []


def icmp_error(quoted: bytes, kind: int = 3, code: int = 1, src: str = "10.0.0.254") -> bytes:
    message = icmpv4.build(icmpv4.Icmpv4(kind, code, 0, quoted))
    return ipv4.build(v4(src), ROUTER, numbers.ICMP, message)


def test_an_icmp_error_with_enough_quoted_becomes_an_icmpv6_error() -> None:
    site = RouterSite()
    ((_, sent),) = site.tun(packet := datagram(LAPTOP, isatap(HOST), b"x" * 600))
    ((to, error),) = site.underlay(icmp_error(sent[:500]))
    assert to == TUN and error[24:40] == LAPTOP
    assert error_of(error) == (1, icmpv6.ADDRESS_UNREACHABLE, packet[:480])


@pytest.mark.parametrize(
    ("kind", "code", "length", "answered"),
    [(3, 1, 28, False), (3, 4, 500, False), (11, 0, 500, True), (8, 0, 500, False), (3, 2, 60, True)],
)
def test_other_icmp_messages(kind: int, code: int, length: int, answered: bool) -> None:
    site = RouterSite()
    ((_, sent),) = site.tun(datagram(LAPTOP, isatap(HOST), b"x" * 600))
    assert bool(site.underlay(icmp_error(sent[:length], kind, code))) is answered


def test_an_icmp_error_about_someone_else_is_ignored() -> None:
    site = RouterSite()
    ((_, sent),) = site.tun(datagram(LAPTOP, isatap(HOST), b"x" * 600))
    other = outer(ROUTER_2, HOST, sent[20:])
    assert site.underlay(icmp_error(other[:500])) == []
    elsewhere = outer(ROUTER, KIOSK, sent[20:])
    assert site.underlay(icmp_error(elsewhere[:500])) == []


# --- Change -----------------------------------------------------------------------------------------------


def test_another_configuration_takes_effect_at_once_and_keeps_the_hosts() -> None:
    site = RouterSite()
    advertised(site)
    site.underlay(solicitation())
    site.router.configure(replace(site.config, router_lifetime=60), site.link("10.0.2.0/24", "10.0.1.30/32"))
    assert HOST in site.router.link.hosts
    ((_, packet),) = site.passes(1)
    message = inner(packet)[1]
    assert isinstance(message, nd.RouterAdvertisement)
    assert nd.RouteInformation(CLIENTS, 59, nd.Preference.MEDIUM, 60) in message.options


def test_a_host_that_is_no_longer_allowed_is_refused_although_it_is_registered() -> None:
    site = RouterSite()
    advertised(site)
    site.router.configure(site.config, site.link("10.0.2.0/24"))
    assert site.underlay(solicitation()) == [] == site.passes(1)
    assert site.drops() == {"host-not-allowed": 1}


def test_a_host_that_moves_to_another_locator_is_announced() -> None:
    site = RouterSite(locators=(ROUTER, ROUTER_2))
    site.underlay(solicitation())
    assert site.tun(datagram(LAPTOP, isatap(HOST)))[0][1][12:20] == ROUTER + HOST
    site.underlay(solicitation(dst=ROUTER_2))
    assert site.events == [HostSeen(HOST, ROUTER), HostSeen(HOST, ROUTER_2)]
    assert site.tun(datagram(LAPTOP, isatap(HOST)))[0][1][12:20] == ROUTER_2 + HOST


def test_a_silent_host_is_forgotten() -> None:
    site = RouterSite()
    site.registry.forget_after = 3600
    advertised(site)
    site.now += 4000
    site.router.on_timer(site.now)
    assert site.router.events() == [HostForgotten(HOST)]
    assert len(site.registry) == 0 and HOST not in site.router.link.hosts
