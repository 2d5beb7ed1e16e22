"""The token bucket."""

from __future__ import annotations

from manageout.protocol.core.bucket import TokenBucket


def test_a_burst_then_the_rate() -> None:
    bucket = TokenBucket(rate=10, burst=5)
    assert [bucket.take(100.0) for _ in range(6)] == [True] * 5 + [False]
    assert not bucket.take(100.05)
    assert bucket.take(100.15)
    assert [bucket.take(200.0) for _ in range(6)] == [True] * 5 + [False]


def test_a_cost_above_the_burst_needs_a_full_bucket() -> None:
    bucket = TokenBucket(rate=10, burst=5)
    assert bucket.take(0.0, cost=20)
    assert not bucket.take(1.0, cost=1)
    assert bucket.take(2.1)
    assert not bucket.take(2.1, cost=20)


def test_time_that_stands_still_or_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(rate=10, burst=1)
    assert bucket.take(10.0)
    assert not bucket.take(9.0)
    assert not bucket.take(9.0)


def test_other_limits_leave_taken_what_was_taken() -> None:
    bucket = TokenBucket(rate=1, burst=4)
    assert all(bucket.take(0.0) for _ in range(3))
    bucket.adjust(rate=1, burst=6)
    assert [bucket.take(0.0) for _ in range(4)] == [True] * 3 + [False]
    bucket.adjust(rate=1, burst=1)
    assert not bucket.take(0.0)
    assert bucket.take(1.0)
