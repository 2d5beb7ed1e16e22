"""The token bucket."""

from __future__ import annotations

from manageout.protocol.core.allowance import Allowance


def test_a_burst_then_the_rate() -> None:
    allowance = Allowance(rate=10, burst=5)
    assert [allowance.take(100.0) for _ in range(6)] == [True] * 5 + [False]
    assert not allowance.take(100.05)
    assert allowance.take(100.15)
    assert [allowance.take(200.0) for _ in range(6)] == [True] * 5 + [False]


def test_a_cost_above_the_burst_needs_a_full_bucket() -> None:
    allowance = Allowance(rate=10, burst=5)
    assert allowance.take(0.0, cost=20)
    assert not allowance.take(1.0, cost=1)
    assert allowance.take(2.1)
    assert not allowance.take(2.1, cost=20)


def test_time_that_stands_still_or_goes_back_gives_nothing() -> None:
    allowance = Allowance(rate=10, burst=1)
    assert allowance.take(10.0)
    assert not allowance.take(9.0)
    assert not allowance.take(9.0)
