"""When a client tries again: the specification's way ([MS-IPHTTPS] 3.1.2.1), and ours."""

from __future__ import annotations

from random import Random

import pytest

from manageout.protocol.iphttps.reconnect import QuickReconnect, StockReconnect


def waits(duration: float, random: float = 0.0, count: int = 8) -> list[float]:
    """Of attempts that take ``duration`` seconds to fail."""
    timer = StockReconnect(lambda: random)
    now, result = duration, []
    for _ in range(count):
        result.append(timer.failed(now))
        now += result[-1] + duration
    return result


def test_attempts_that_fail_at_once() -> None:
    assert waits(0) == [30, 30, 60, 120, 240, 480, 900, 900]


def test_attempts_that_take_their_time() -> None:
    assert waits(10, count=5) == [30, 40, 90, 190, 390]


def test_jitter_is_at_most_a_tenth_and_never_early() -> None:
    for early, late in zip(waits(0), waits(0, random=0.999), strict=True):
        assert early <= late
    assert StockReconnect(lambda: 0.999).failed(0) == pytest.approx(33, abs=0.1)


def test_success_starts_again() -> None:
    timer = StockReconnect(lambda: 0.0)
    timer.failed(0)
    assert timer.failed(500) == 500
    timer.succeeded(550)
    assert timer.failed(600) == 30


def test_other_bounds() -> None:
    timer = StockReconnect(lambda: 0.0)
    timer.FIRST, timer.LAST = 1, 4
    assert [timer.failed(now) for now in (0, 1, 2, 4, 8)] == [1, 1, 2, 4, 4]


def test_ours_is_back_within_four_seconds_whenever_the_gateway_is() -> None:
    """The longest time from one moment at which an attempt would succeed to the next, with the worst of luck."""
    for spent in (0.0, 2.0, 3.0):  # refused at once; unanswered
        timer = QuickReconnect(lambda: 0.999)
        now = 0.0
        while now < 590:
            wait = timer.failed(now, spent)
            assert wait + timer.patience <= 4 or spent == 0.0
            assert wait <= 2.0
            now += wait + spent


def test_ours_spreads_the_clients_of_a_killed_gateway() -> None:
    """They all lose it at one moment, and come back over a third of a second."""
    firsts = sorted(QuickReconnect(Random(seed).random).failed(0) for seed in range(500))
    assert firsts[-1] - firsts[0] > 0.3 and firsts[0] > 0.3 and firsts[-1] < 0.7


def test_ours_forgets_the_past_after_a_connection_that_lasted() -> None:
    timer = QuickReconnect(lambda: 0.5)
    for now in range(700):
        timer.failed(now)
    assert timer.failed(700) > 15
    timer.succeeded(800)
    assert timer.failed(1000) == 0.5


def test_ours_waits_longer_for_an_answer_when_nobody_gave_one() -> None:
    timer = QuickReconnect(lambda: 0.5)
    timer.failed(0)
    assert timer.patience == 2
    timer.failed(2, spent=2)
    assert timer.patience == 3
    timer.failed(700)
    assert timer.patience == 10


def test_ours_does_not_leave_a_long_queue_again_and_again() -> None:
    timer = QuickReconnect(lambda: 0.5)
    found = []
    for _ in range(3):
        found.append(timer.talk_patience)
        timer.failed(10, spent=timer.talk_patience + 0.01)
    assert found == [3.5, 7, 10] and timer.talk_patience == 10
    timer.failed(20, spent=0.01)  # refused at once: there is no queue
    assert timer.talk_patience == 3.5
