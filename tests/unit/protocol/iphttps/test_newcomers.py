"""Who gives way when there is no room, and whose failures count."""

from __future__ import annotations

from manageout.protocol.iphttps.newcomers import (
    ALL_MOST,
    COMINGS_BURST,
    COMINGS_RATE,
    FRESH_BURST,
    MAX_NAMES,
    MAX_NETS,
    SOURCE_MOST,
    SOURCE_RATE,
    SPARE_BURST,
    Comings,
    Failures,
    Places,
    Source,
)

HONEST = Source(("203.0.113.5",))


def v4(number: int) -> Source:
    return Source((f"192.0.2.{number}",))


def v6(site: int, customer: int, link: int) -> Source:
    return Source((f"{site}:{customer}:{link}/64", f"{site}:{customer}/56", f"{site}/48"))


def test_the_oldest_of_the_source_that_has_most_gives_way() -> None:
    places = Places()
    for number, source in enumerate([v4(1), v4(2), v4(2), v4(3)]):
        places.enter(number, source)
    assert places.who_yields(HONEST) == (1, v4(2))
    assert places.leave(1) and not places.leave(1)
    places.enter(4, v4(3))
    assert places.who_yields(HONEST) == (3, v4(3))
    assert len(places) == 4


def test_a_newcomer_counts_as_one_of_its_source() -> None:
    places = Places()
    places.enter(1, v4(1))
    places.enter(2, v4(2))
    assert places.who_yields(v4(2)) == (2, v4(2))


def test_many_links_of_one_customer_are_one_source() -> None:
    places = Places()
    places.enter(0, HONEST)
    places.enter(1, HONEST)
    for link in range(3):
        places.enter(10 + link, v6(7, 1, link))
    assert places.who_yields(v4(9)) == (10, v6(7, 1, 0))
    places.enter(20, v6(7, 2, 0))
    places.enter(21, v6(7, 1, 2))
    assert places.who_yields(v4(9)) == (12, v6(7, 1, 2))
    for number in (0, 1, 10, 11, 12, 20, 21):
        assert places.leave(number)
    assert places.who_yields(HONEST) is None


def test_what_one_source_has() -> None:
    places = Places()
    assert places.held(HONEST) == 0 and places.oldest(HONEST) is None
    for number, source in enumerate([v6(7, 1, 0), v6(7, 1, 1), v6(7, 1, 1), v4(1)]):
        places.enter(number, source)
    assert places.held(v6(7, 1, 1)) == 2 and places.oldest(v6(7, 1, 1)) == (1, v6(7, 1, 1))
    assert places.held(v6(7, 2, 1)) == 0 and places.oldest(v6(7, 2, 1)) is None


def test_a_source_that_fails_too_often_has_to_wait() -> None:
    failures = Failures()
    bad = v4(1)
    for _ in range(int(SOURCE_MOST)):
        assert failures.may_try(bad, 100.0)
        failures.failed(bad, 100.0)
    served = sum(failures.may_try(bad, 100.0) for _ in range(1000))
    assert served == SPARE_BURST
    assert failures.may_try(HONEST, 100.0)
    assert failures.may_try(bad, 100.0 + 1 / SOURCE_RATE)


def test_one_source_does_not_spend_what_its_neighbours_in_a_net_of_a_provider_have() -> None:
    """Mobile networks give each telephone a /64 of one /48."""
    failures = Failures()
    now = 100.0
    for _ in range(3000):  # a minute; what is served of it is spare
        now += 0.02
        if failures.may_try(v6(7, 1, 1), now):
            failures.failed(v6(7, 1, 1), now)
    while failures.may_try(v6(7, 1, 1), now):
        failures.failed(v6(7, 1, 1), now)
    assert failures.may_try(v6(7, 1, 2), now) and failures.may_try(v6(7, 2, 1), now)


def test_handshakes_that_end_well_cost_nothing() -> None:
    failures = Failures()
    for _ in range(2000):
        assert failures.may_try(HONEST, 5.0)
        failures.proved(HONEST)


def test_links_of_one_customer_share_its_failures() -> None:
    failures = Failures()
    for attempt in range(int(SOURCE_MOST) * 2):
        failures.failed(v6(7, 1, attempt), 1.0)
    for _ in range(int(SPARE_BURST)):
        failures.may_try(v6(7, 1, 5000), 1.0)
    assert not failures.may_try(v6(7, 1, 6000), 1.0)
    assert failures.may_try(v6(7, 2, 0), 1.0)
    for attempt in range(int(SOURCE_MOST) * 2):
        failures.failed(v6(7, 2 + attempt, 0), 1.0)
    assert not failures.may_try(v6(7, 900, 0), 1.0)
    assert failures.may_try(v6(8, 1, 0), 1.0)


def test_with_failures_from_everywhere_known_sources_go_first_and_then_fresh_ones() -> None:
    failures = Failures()
    failures.proved(HONEST)
    bots = [Source((f"bot {number}",)) for number in range(int(ALL_MOST))]
    for bot in bots:
        failures.failed(bot, 1.0)
    assert sum(failures.may_try(bot, 1.0) for bot in bots) == SPARE_BURST
    fresh = [failures.may_try(Source((f"other {number}",)), 1.0) for number in range(1000)]
    assert sum(fresh) == FRESH_BURST
    assert all(failures.may_try(HONEST, 1.0) for _ in range(500))


def test_memory_is_bounded() -> None:
    failures = Failures()
    for number in range(MAX_NETS + 100):
        failures.failed(Source((str(number),)), 1.0)
        failures.proved(Source((str(number),)))
    assert len(failures._allowances) == MAX_NETS
    assert len(failures._proven) <= MAX_NETS


def test_a_certificate_may_come_again_but_not_all_the_time() -> None:
    comings = Comings()
    came = sum(comings.may_come("laptop", 4, 10.0) for _ in range(1000))
    assert came == 4 * COMINGS_BURST
    assert comings.may_come("other", 4, 10.0)
    # As often as a client tries: after 0.5, 1, then every 1.5 seconds.
    assert all(comings.may_come("laptop", 4, 12.0 + 1.5 * attempt) for attempt in range(100))
    for number in range(MAX_NAMES + 10):
        comings.may_come(str(number), 4, 10.0)
    assert len(comings._names) == MAX_NAMES


def test_another_number_of_connections_at_a_time_counts_at_once() -> None:
    comings = Comings()
    burst = int(COMINGS_BURST)

    def come(at_a_time: int, now: float) -> int:
        return sum(comings.may_come("laptop", at_a_time, now) for _ in range(1000))

    assert come(1, 10.0) == burst
    assert come(4, 10.0) == 3 * burst, "as many more as it may have now"
    assert come(4, 15.0) == 5 * 4 * COMINGS_RATE
    assert come(1, 15.0) == 0
    assert come(1, 25.0) == 10 * COMINGS_RATE
    assert come(1, 1000.0) == burst
