"""One router of the list: solicitation and reachability, state by state."""

from __future__ import annotations

import math

from manageout.protocol.isatap.potential_router import PotentialRouter, Reach, shortest_lifetime
from manageout.wire import nd

ADDRESS = bytes.fromhex("fe8000000000000000005efe0a000001")
MESSAGE = nd.RouterAdvertisement(options=(nd.PrefixInformation(bytes(16), 64, True, True, 9000, 5000),))


def confirmed(now: float = 0.0) -> PotentialRouter:
    router = PotentialRouter(b"\x0a\0\0\1", now)
    router.advertised(ADDRESS, MESSAGE, now)
    assert router.wants_probe(now)
    router.confirmed(now, 1.0)
    return router


def test_solicitations_are_paced() -> None:
    router = PotentialRouter(b"\x0a\0\0\1", 1.0)
    assert not router.wants_solicitation(0.9)
    for now, following in ((1.0, 5.0), (5.0, 9.0), (9.0, 129.0), (129.0, 249.0)):
        assert router.wants_solicitation(now)
        assert router.next_rs == following


def test_the_states_in_turn() -> None:
    router = confirmed()
    assert (router.reach, router.due) == (Reach.REACHABLE, 30.0)
    assert not router.wants_probe(30.0)
    assert (router.reach, router.due) == (Reach.STALE, math.inf)
    router.traffic(40.0)
    assert (router.reach, router.due) == (Reach.DELAY, 45.0)
    assert [router.wants_probe(now) for now in (44.0, 45.0, 46.0, 47.0, 48.0)] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert (router.reach, router.failed, router.next_rs) == (Reach.UNREACHABLE, True, 48.0)
    router.confirmed(49.0, 1.0)
    assert (router.reach, router.failed) == (Reach.REACHABLE, False)


def test_traffic_and_hints_matter_only_in_their_states() -> None:
    router = confirmed()
    router.traffic(1.0)
    assert router.reach is Reach.REACHABLE
    router.hint_failure(2.0)
    assert (router.reach, router.due) == (Reach.PROBE, 2.0)
    new = PotentialRouter(b"\x0a\0\0\2", 0.0)
    new.hint_failure(2.0)
    new.confirmed(2.0, 1.0)
    assert new.reach is Reach.NEW


def test_the_routers_own_times_are_used() -> None:
    router = PotentialRouter(b"\x0a\0\0\1", 0.0)
    router.advertised(ADDRESS, nd.RouterAdvertisement(reachable_ms=10_000, retrans_ms=500), 0.0)
    router.wants_probe(0.0)
    assert router.due == 0.5
    router.confirmed(1.0, 0.5)
    assert router.due == 6.0


def test_the_shortest_lifetime() -> None:
    assert math.isinf(shortest_lifetime(nd.RouterAdvertisement()))
    assert shortest_lifetime(MESSAGE) == 5000
    route = nd.RouteInformation(bytes(16), 0, nd.Preference.MEDIUM, 600)
    assert shortest_lifetime(nd.RouterAdvertisement(router_lifetime=1800, options=(route,))) == 600


def test_a_router_that_offers_nothing_is_asked_again_in_two_minutes() -> None:
    router = confirmed()
    nothing = nd.RouterAdvertisement(
        options=(
            nd.PrefixInformation(bytes(16), 64, True, True, 0, 0),
            nd.RouteInformation(bytes(16), 48, nd.Preference.MEDIUM, 0),
        )
    )
    router.advertised(ADDRESS, nothing, 1000.0)
    assert router.next_rs == 1120.0


def test_a_router_that_offers_something_for_ever_is_not() -> None:
    router = confirmed()
    for_ever = nd.RouterAdvertisement(
        options=(nd.PrefixInformation(bytes(16), 64, True, True, 0xFFFFFFFF, 0xFFFFFFFF),)
    )
    router.advertised(ADDRESS, for_ever, 1000.0)
    assert math.isinf(router.next_rs)
