"""Addresses and routes from advertisements, and how long they last."""

from __future__ import annotations

import math
from ipaddress import IPv6Address

import pytest

from manageout.protocol.host.slaac import (
    DEFAULT,
    MAX_PREFIXES,
    MAX_ROUTES,
    RouteTable,
    SlaacPrefixes,
    deadline,
    remaining,
)
from manageout.wire.nd import (
    INFINITE,
    Preference,
    PrefixInformation,
    RouteInformation,
    RouterAdvertisement,
    masked,
)

P1 = IPv6Address("2001:db8:0:1::").packed
P2 = IPv6Address("2001:db8:0:2::").packed


def option(
    prefix: bytes = P1, valid: int = 86400, preferred: int = 14400, **changes: int
) -> PrefixInformation:
    length = changes.get("length", 64)
    return PrefixInformation(prefix, length, True, bool(changes.get("autonomous", 1)), valid, preferred)


def route(
    prefix: bytes, length: int, life: int, preference: Preference = Preference.MEDIUM
) -> RouteInformation:
    return RouteInformation(prefix, length, preference, life)


def test_lifetimes_and_deadlines() -> None:
    assert deadline(10, 5.0) == 15.0
    assert math.isinf(deadline(INFINITE, 5.0))
    assert remaining(15.0, 5.0) == 10
    assert remaining(3.0, 5.0) == 0
    assert remaining(math.inf, 5.0) == INFINITE


def test_masked() -> None:
    assert masked(b"\xff" * 16, 59) == b"\xff" * 7 + b"\xe0" + bytes(8)
    assert masked(b"\xff" * 16, 0) == bytes(16)
    assert masked(b"\xff" * 16, 128) == b"\xff" * 16


@pytest.mark.parametrize(
    "refused",
    [
        option(autonomous=0),
        option(length=63),
        option(valid=10, preferred=11),
        option(valid=0, preferred=0),
        option(prefix=IPv6Address("fe80::").packed),
        option(prefix=IPv6Address("ff12::").packed),
    ],
)
def test_an_option_that_must_be_ignored(refused: PrefixInformation) -> None:
    table = SlaacPrefixes()
    assert not table.update(refused, 0.0)
    assert len(list(table)) == 0


@pytest.mark.parametrize(
    ("left", "told", "then"),
    [
        (86400, 100000, 100000.0),  # longer: taken
        (86400, 7201, 7201.0),  # above two hours: taken
        (86400, 7200, 7200.0),  # not above: no lower than two hours
        (86400, 0, 7200.0),
        (3600, 0, 3600.0),  # less than two hours left: ignored
        (3600, 1800, 3600.0),
        (3600, 5000, 5000.0),  # longer than what is left: taken
    ],
)
def test_the_two_hour_rule(left: int, told: int, then: float) -> None:
    table = SlaacPrefixes()
    table.update(option(valid=left, preferred=0), 0.0)
    assert table.update(option(valid=told, preferred=0), 0.0)
    (entry,) = table
    assert entry.valid_until == then


def test_the_preferred_lifetime_always_follows() -> None:
    table = SlaacPrefixes()
    table.update(option(), 0.0)
    table.update(option(valid=0, preferred=0), 100.0)
    (entry,) = table
    assert entry.preferred_until == 100.0


def test_prefixes_end_and_are_bounded() -> None:
    table = SlaacPrefixes()
    for number in range(MAX_PREFIXES + 5):
        table.update(option(bytes([0x20, 1, 0, number, *bytes(12)]), valid=100 + number, preferred=1), 0.0)
    assert len(list(table)) == MAX_PREFIXES
    assert table.next_expiry() == 100.0
    assert table.expire(100.0) == [bytes([0x20, 1, *bytes(14)])]
    assert len(list(table)) == MAX_PREFIXES - 1


def test_routes_are_chosen_by_reachability_then_preference_then_age() -> None:
    table: RouteTable[str] = RouteTable()
    for router, preference in (("a", Preference.LOW), ("b", Preference.MEDIUM), ("c", Preference.MEDIUM)):
        table.update(router, RouterAdvertisement(options=(route(P1, 48, 100, preference),)), 0.0)
    key = (masked(P1, 48), 48)

    def chosen(*reachable: str) -> str:
        return table.choose(lambda router: router in reachable)[key][0]

    assert chosen("a", "b", "c") == "b"
    assert chosen("a", "c") == "c"
    assert chosen("a") == "a"
    assert chosen() == "b"
    table.forget("b")
    assert chosen("a", "c") == "c"


def test_a_reachable_router_behind_a_shorter_prefix_beats_an_unreachable_one() -> None:
    table: RouteTable[str] = RouteTable()
    table.update("a", RouterAdvertisement(options=(route(P1, 64, 100, Preference.HIGH),)), 0.0)
    table.update("b", RouterAdvertisement(options=(route(P1, 48, 100, Preference.LOW),)), 0.0)
    long, short = (masked(P1, 64), 64), (masked(P1, 48), 48)
    assert table.choose(lambda _: True).keys() == {long, short}
    assert table.choose(lambda router: router == "b").keys() == {short}
    assert table.choose(lambda router: router == "a").keys() == {long, short}
    assert table.choose(lambda _: False).keys() == {long, short}


def test_the_default_route_comes_from_the_header_and_an_option_overrides_it() -> None:
    table: RouteTable[str] = RouteTable()
    table.update("a", RouterAdvertisement(router_lifetime=600, preference=Preference.LOW), 0.0)
    assert table.choose(bool)[DEFAULT][1].preference is Preference.LOW
    message = RouterAdvertisement(router_lifetime=600, options=(route(bytes(16), 0, 60, Preference.HIGH),))
    table.update("a", message, 0.0)
    assert table.choose(bool)[DEFAULT][1] == (Preference.HIGH, 60.0)
    table.update("a", RouterAdvertisement(), 0.0)
    assert table.choose(bool) == {}


def test_routes_end() -> None:
    table: RouteTable[str] = RouteTable()
    table.update("a", RouterAdvertisement(options=(route(P1, 64, 50), route(P2, 64, INFINITE))), 0.0)
    assert table.next_expiry() == 50.0
    table.expire(50.0)
    assert set(table.choose(bool)) == {(P2, 64)}
    table.update("a", RouterAdvertisement(options=(route(P2, 64, 0),)), 60.0)
    assert table.choose(bool) == {} and math.isinf(table.next_expiry())


def test_routes_are_bounded() -> None:
    table: RouteTable[str] = RouteTable()
    for number in range(MAX_ROUTES + 10):
        prefix = bytes([0x20, 1, *number.to_bytes(2, "big"), *bytes(12)])
        table.update("a", RouterAdvertisement(options=(route(prefix, 32, 50),)), 0.0)
    assert len(table.choose(bool)) == MAX_ROUTES
