"""Hosts that retire, packet by packet: the router tells chosen ones to let go, and to come back."""

from __future__ import annotations

from typing import Any

from manageout.protocol.core.prefixes import Prefix
from manageout.protocol.host.slaac import RouteRemoved
from manageout.protocol.isatap.advertising import INTERVAL, PER_SECOND, TIMES
from manageout.protocol.isatap.end import TUN
from manageout.protocol.isatap.host import AddressSet, RouteSet
from manageout.wire import ipv4, nd
from tests.tools.machines.isatap import (
    CLIENTS,
    HOST,
    LAPTOP,
    PREFIX,
    ROUTER,
    HostSite,
    RouterSite,
    datagram,
    inner,
    isatap,
    link_local,
    outer,
    solicitation,
    v4,
)

OTHER = v4("10.0.2.9")
SECOND = v4("203.0.113.5")
ONE, NETWORK = Prefix(HOST, 32), Prefix(v4("10.0.2.0"), 24)
WHOLE = TIMES * INTERVAL + 1


def lifetimes(packet: bytes) -> tuple[int, list[tuple[int, int]], list[int]]:
    """Of the router, of the prefixes (valid, preferred), of the routes."""
    message = inner(packet)[1]
    assert isinstance(message, nd.RouterAdvertisement)
    prefixes = [o for o in message.options if isinstance(o, nd.PrefixInformation)]
    routes = [o for o in message.options if isinstance(o, nd.RouteInformation)]
    return (
        message.router_lifetime,
        [(option.valid, option.preferred) for option in prefixes],
        [option.lifetime for option in routes],
    )


GONE, THERE = (0, [(0, 0)], [0]), (0, [(86400, 14400)], [1800])


def known(*hosts: bytes, **changes: Any) -> RouterSite:
    """A router that has answered ``hosts``."""
    site = RouterSite(**changes)
    for host in hosts:
        site.underlay(solicitation(host))
    site.passes(1)
    return site


def retire(site: RouterSite, *networks: Prefix) -> list[bytes]:
    """What goes out when these retire, one packet after another."""
    site.router.retire(networks, site.now)
    return [packet for _, packet in site.passes(WHOLE)]


def told(packets: list[bytes]) -> set[bytes]:
    return {packet[16:20] for packet in packets}


def test_a_host_that_retires_hears_at_once_and_three_times_that_all_is_gone() -> None:
    site = known(HOST, OTHER, default_route=True)
    site.router.retire([ONE], site.now)
    at_once = site.passes(0.6)
    packets = [packet for _, packet in [*at_once, *site.passes(WHOLE)]]
    assert len(at_once) == 1 and len(packets) == TIMES
    assert told(packets) == {HOST}
    assert [lifetimes(packet) for packet in packets] == [GONE] * TIMES


def test_it_is_answered_with_nothing_and_the_others_as_ever() -> None:
    site = known(HOST, OTHER)
    retire(site, ONE)
    for host, expected in ((HOST, GONE), (OTHER, THERE)):
        site.underlay(solicitation(host))
        ((_, packet),) = site.passes(1)
        assert lifetimes(packet) == expected


def test_one_that_comes_for_the_first_time_is_offered_nothing() -> None:
    site = RouterSite()
    assert retire(site, NETWORK) == []
    site.underlay(solicitation(OTHER))
    ((_, packet),) = site.passes(1)
    assert lifetimes(packet) == GONE
    assert list(site.router.retiring()) == [OTHER]


def test_its_packets_are_forwarded_both_ways_and_counted() -> None:
    site = known(HOST)
    retire(site, ONE)
    there, back = datagram(isatap(HOST), LAPTOP), datagram(LAPTOP, isatap(HOST))
    assert site.underlay(outer(HOST, ROUTER, there)) == [(TUN, there)]
    ((_, packet),) = site.tun(back)
    assert (packet[16:20], packet[20:]) == (HOST, back)
    record = site.registry.record(HOST)
    assert record is not None and (record.packets_in, record.bytes_in) == (1, len(there))


def test_a_question_whether_the_router_is_there_is_no_traffic() -> None:
    site = known(HOST)
    retire(site, ONE)
    site.now += 60
    probe = nd.build(link_local(HOST), link_local(ROUTER), nd.NeighbourSolicitation(link_local(ROUTER)))
    assert len(site.underlay(outer(HOST, ROUTER, probe))) == 1
    record = site.registry.record(HOST)
    assert record is not None
    assert (record.packets_in, record.last_packet) == (0, int(site.now + site.registry.wall_offset))


def test_another_wave_tells_only_those_who_are_new_to_it() -> None:
    site = known(HOST, OTHER)
    retire(site, ONE)
    assert told(retire(site, ONE, NETWORK)) == {OTHER}
    assert retire(site, ONE, NETWORK) == []


def test_undone_they_hear_that_everything_is_there_again() -> None:
    site = known(HOST, OTHER)
    retire(site, ONE)
    packets = retire(site)
    assert told(packets) == {HOST}
    assert [lifetimes(packet) for packet in packets] == [THERE] * TIMES
    assert list(site.router.retiring()) == []


def test_undone_while_it_is_being_told_the_last_word_holds() -> None:
    site = known(HOST)
    site.router.retire([ONE], site.now)
    site.passes(0.6)
    packets = retire(site)
    assert {lifetimes(packet) == THERE for packet in packets} == {True}


def test_every_locator_of_ours_tells() -> None:
    site = known(HOST, locators=(ROUTER, SECOND))
    packets = retire(site, ONE)
    assert sorted(packet[12:16] for packet in packets) == [ROUTER] * TIMES + [SECOND] * TIMES


def test_a_host_that_is_no_longer_allowed_is_not_told() -> None:
    site = known(HOST)
    site.router.configure(site.config, site.link("10.0.2.0/24"))
    assert retire(site, ONE) == []


def test_the_set_outlives_another_configuration() -> None:
    site = known(HOST)
    retire(site, ONE)
    site.router.configure(site.config, site.link())
    site.underlay(solicitation())
    ((_, packet),) = site.passes(1)
    assert lifetimes(packet) == GONE


def test_ten_thousand_hosts_are_told_in_turn() -> None:
    count = 10_000
    site = RouterSite()
    site.registry.capacity = count
    site.router.configure(site.config, site.link("10.0.0.0/8"))
    draws = iter(range(10**6))
    site.router._advertiser._random = lambda: next(draws) % count / count
    for number in range(count):
        site.registry.solicited(b"\x0a\x09" + number.to_bytes(2, "big"), False, site.now)
    site.router.retire([Prefix(v4("10.0.0.0"), 8)], site.now)
    seconds = [len(site.passes(1)) for _ in range(4)]
    assert sum(seconds) == count
    assert max(seconds) <= PER_SECOND + 100


# --- With a host at the other end -------------------------------------------------------------------------


class Link:
    """A router and a host that hear each other."""

    def __init__(self) -> None:
        self.router, self.host = RouterSite(), HostSite(ROUTER)
        self.passes(3)

    def passes(self, seconds: float) -> None:
        for _ in range(int(seconds * 4)):
            sent = [packet for _, packet in self.host.passes(0.25)]
            back = [packet for each in sent for _, packet in self.router.underlay(each)]
            for packet in [*back, *(each for _, each in self.router.passes(0.25))]:
                if ipv4.parse(packet)[0].dst == HOST:
                    self.host.underlay(packet)

    def retire(self, *networks: Prefix) -> None:
        self.router.router.retire(networks, self.router.now)

    def route(self) -> bool:
        ((_, packet),) = self.host.tun(datagram(isatap(HOST), LAPTOP)) or [(TUN, b"")]
        return packet[:1] == b"\x45" and packet[16:20] == ROUTER


def test_a_host_lets_go_by_itself_and_comes_back() -> None:
    link = Link()
    assert link.route()
    link.host.events()
    link.retire(ONE)
    link.passes(1)
    assert link.host.events()[:2] == [AddressSet(isatap(HOST), 7200, 0), RouteRemoved(CLIENTS, 59)]
    assert not link.route()
    link.retire()
    link.passes(1)
    events = link.host.events()
    assert AddressSet(isatap(HOST), 86400, 14400) in events
    assert RouteSet(CLIENTS, 59, ROUTER, link_local(ROUTER), nd.Preference.MEDIUM) in events
    assert link.route()


def test_its_address_lives_two_hours_and_is_not_renewed_by_what_it_hears() -> None:
    """RFC 4862 5.5.3 (e): a valid lifetime of 0 leaves two hours, once."""
    link = Link()
    link.retire(ONE)
    link.passes(7190)
    assert isatap(HOST, PREFIX) in link.host.host._addresses
    link.passes(15)
    assert isatap(HOST, PREFIX) not in link.host.host._addresses


def test_a_host_that_missed_the_undo_asks_again_by_itself() -> None:
    link = Link()
    link.retire(ONE)
    link.passes(WHOLE)
    link.retire()
    link.router.passes(WHOLE)  # all that it says is lost
    link.host.now = link.router.now
    assert not link.route()
    link.passes(130)
    assert link.route()
