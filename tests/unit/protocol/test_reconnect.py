"""The reconnect schedule ([MS-IPHTTPS] 3.1.2.1)."""

from __future__ import annotations

import pytest

from manageout.protocol.reconnect import Reconnect


def waits(duration: float, random: float = 0.0, count: int = 8) -> list[float]:
    """Of attempts that take ``duration`` seconds to fail."""
    timer = Reconnect(lambda: random)
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
    assert Reconnect(lambda: 0.999).failed(0) == pytest.approx(33, abs=0.1)


def test_success_starts_again() -> None:
    timer = Reconnect(lambda: 0.0)
    timer.failed(0)
    assert timer.failed(500) == 500
    timer.succeeded()
    assert timer.failed(600) == 30


def test_other_bounds() -> None:
    timer = Reconnect(lambda: 0.0, first=1, last=4)
    assert [timer.failed(now) for now in (0, 1, 2, 4, 8)] == [1, 1, 2, 4, 4]
