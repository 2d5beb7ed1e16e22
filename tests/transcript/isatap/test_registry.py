"""The ISATAP router with a registry that is full, by strangers who forge their source."""

from __future__ import annotations

import pytest

from tests.tools.machines.isatap import (
    HOST,
    LAPTOP,
    ROUTER,
    RouterSite,
    datagram,
    isatap,
    outer,
    solicitation,
    v4,
)

DAY = 86400


def crowd(site: RouterSite, capacity: int) -> list[bytes]:
    """So many forged hosts that the registry is full."""
    site.registry.capacity = capacity
    forged = [v4(f"10.0.2.{last}") for last in range(100, 100 + capacity)]
    for source in forged:
        site.underlay(outer(source, ROUTER, data_packet(source)))
    assert set(site.registry.hosts) == set(forged)
    return forged


def data_packet(source: bytes) -> bytes:
    """What a host would send to a client."""
    return datagram(isatap(source), LAPTOP)


@pytest.mark.parametrize("day", [0, 1, 30, 80])
def test_forged_hosts_lock_nobody_out_on_any_day(day: int) -> None:
    site = RouterSite()
    crowd(site, 20)
    site.now += day * DAY
    site.underlay(solicitation())
    assert len(site.passes(1)) == 1, "the newcomer is answered at once"
    assert HOST in site.registry.hosts and site.drops() == {}
    assert len(site.registry) == 20 and set(site.registry.hosts) == set(site.router.link.hosts)


def test_forged_solicitations_every_50_seconds_keep_nobody_out() -> None:
    site = RouterSite(rs_per_second=100)
    site.registry.capacity = 20
    for round in range(5):
        for last in range(100, 120):
            site.underlay(solicitation(v4(f"10.0.2.{last}")))
        site.passes(25)
        site.underlay(solicitation(v4(f"10.0.2.{round + 1}")))
        assert len(site.passes(25)) == 1
        assert v4(f"10.0.2.{round + 1}") in site.registry.hosts
    assert site.drops() == {}


def test_who_was_answered_and_heard_from_lately_never_makes_way() -> None:
    site = RouterSite(rs_per_second=1000)
    site.registry.capacity = 3
    for _ in range(4):
        site.underlay(solicitation())
        site.passes(1)
        site.underlay(outer(HOST, ROUTER, data_packet(HOST)))
        for last in range(1, 200):
            source = v4(f"10.0.2.{last}")
            site.underlay(outer(source, ROUTER, data_packet(source)))
            site.underlay(solicitation(source))
        assert HOST in site.registry.hosts
        site.passes(55)


def test_those_without_traffic_both_ways_make_way_first_and_the_longest_silent_of_them() -> None:
    site = RouterSite()
    site.registry.capacity = 3
    site.underlay(solicitation())
    site.passes(1)
    site.underlay(outer(HOST, ROUTER, data_packet(HOST)))
    site.passes(300)  # HOST is silent for the longest time, and real
    for last in (1, 2, 3):
        site.underlay(solicitation(v4(f"10.0.2.{last}")))
        site.passes(1)
    assert set(site.registry.hosts) == {HOST, v4("10.0.2.2"), v4("10.0.2.3")}


def test_where_all_were_answered_and_heard_from_whoever_sent_least_makes_way() -> None:
    """Strangers can forge that too, with two packets for each host: it locks nobody out."""
    site = RouterSite()
    site.registry.capacity = 3
    for round in range(3):
        for source in (HOST, v4("10.0.2.1"), v4("10.0.2.2")):
            site.underlay(solicitation(source))
            site.passes(1)
            for _ in range(10 if source == HOST else 1):
                site.underlay(outer(source, ROUTER, data_packet(source)))
        newcomer = v4(f"10.0.2.{round + 100}")
        site.underlay(solicitation(newcomer))
        assert len(site.passes(1)) == 1
        assert {HOST, newcomer} <= set(site.registry.hosts)
    assert site.drops() == {}
