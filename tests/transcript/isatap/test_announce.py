"""Hosts that are there already learn of what a reload changes: advertisements at a bounded pace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv6Address

from manageout.protocol.isatap.advertising import CATCH_UP, INTERVAL, PER_SECOND, SLOT, TIMES, Advertiser
from manageout.protocol.isatap.router import MAX_WITHDRAWN, RouterConfig
from manageout.wire import nd
from tests.tools.machines.isatap import HOST, RouterSite, inner, solicitation, v4

OTHER = v4("10.0.2.9")
NEW = IPv6Address("fd12:3456:789a:5000::").packed, 52


def known(*hosts: bytes) -> RouterSite:
    site = RouterSite()
    for host in hosts:
        site.underlay(solicitation(host))
    site.passes(1)
    return site


def reload(site: RouterSite, config: RouterConfig) -> None:
    site.config = config.after(site.router.config)
    link = site.link()
    for host, locator in site.router.link.hosts.items():
        link.register(host, locator)
    site.router.configure(site.config, link)
    site.router.announce(site.now)


def routes(packet: bytes) -> dict[tuple[bytes, int], int]:
    """Prefix -> lifetime."""
    message = inner(packet)[1]
    assert isinstance(message, nd.RouterAdvertisement)
    return {(o.prefix, o.length): o.lifetime for o in message.options if isinstance(o, nd.RouteInformation)}


def test_every_host_hears_of_a_new_route_at_once_and_three_times() -> None:
    site = known(HOST, OTHER)
    reload(site, replace(site.config, advertised=(*site.config.advertised, NEW)))
    packets = [packet for _, packet in site.passes(1)]
    assert {packet[16:20] for packet in packets} == {HOST, OTHER} and len(packets) == 2
    assert all(routes(packet)[NEW] == 1800 for packet in packets)
    packets = [packet for _, packet in site.passes(TIMES * INTERVAL)]
    assert len(packets) == 2 * (TIMES - 1)
    assert site.router.timer() is None


def test_a_route_that_a_reload_takes_away_is_taken_back_and_can_return() -> None:
    site = known(HOST)
    first = site.config
    reload(site, replace(first, advertised=(*first.advertised, NEW)))
    site.passes(TIMES * INTERVAL)
    reload(site, first)
    (packet, *_) = [packet for _, packet in site.passes(TIMES * INTERVAL)]
    assert routes(packet)[NEW] == 0
    reload(site, replace(first, advertised=(*first.advertised, NEW)))
    (packet, *_) = [packet for _, packet in site.passes(1)]
    assert routes(packet)[NEW] == 1800


def test_what_is_taken_back_is_bounded() -> None:
    config = RouterSite().config
    for number in range(20):
        other = IPv6Address(f"fd12:3456:789a:{number + 0x5000:x}::").packed, 64
        config = replace(config, advertised=(other,)).after(config)
    assert len(config.withdrawn) == MAX_WITHDRAWN


def test_a_host_that_went_silent_long_ago_is_left_alone() -> None:
    site = known(HOST)
    site.passes(site.config.valid + 1)
    site.underlay(solicitation(OTHER))
    site.passes(1)
    reload(site, replace(site.config, advertised=(NEW,)))
    assert {packet[16:20] for _, packet in site.passes(60)} == {OTHER}


def test_a_hundred_thousand_hosts_are_told_at_a_pace_that_lets_packets_pass() -> None:
    count = 100_000
    taken = 0

    def everybody() -> Iterator[bytes]:
        nonlocal taken
        for number in range(count):
            taken += 1
            yield number.to_bytes(8, "big")

    advertiser, now = Advertiser(lambda: 0.5), 1000.0
    advertiser.announce(everybody, now)
    assert taken == 0, "nothing is computed before its turn"
    told: set[bytes] = set()
    begun, most = now, 0
    while len(told) < count:
        due = advertiser.timer()
        assert due is not None
        now = max(now, due)
        turn = list(advertiser.due(now))
        told.update(turn)
        most = max(most, len(turn))
    assert most <= PER_SECOND * SLOT + 1
    assert count / PER_SECOND - 1 < now - begun < count / PER_SECOND + 1


def test_after_a_pause_only_a_few_slots_are_caught_up() -> None:
    advertiser = Advertiser(lambda: 0.5)
    advertiser.announce(lambda: iter([bytes(8)] * 10_000), 0.0)
    list(advertiser.due(0.0))
    assert len(list(advertiser.due(30.0))) == round(CATCH_UP * SLOT * PER_SECOND)


def test_another_change_begins_again() -> None:
    advertiser, keys = Advertiser(lambda: 0.5), [number.to_bytes(8, "big") for number in range(1000)]
    advertiser.announce(lambda: iter(keys), 0.0)
    list(advertiser.due(0.02))
    advertiser.announce(lambda: iter(keys), 0.04)
    assert next(advertiser.due(0.04)) == keys[0]
