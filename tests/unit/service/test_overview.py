"""Drops of the last minutes, from totals that only grow."""

from __future__ import annotations

from manageout.protocol.drops import Drop
from manageout.service.overview import HISTORY, MEANINGS, DropHistory, LastSeen


def test_growth_since_the_start() -> None:
    history = DropHistory()
    history.sample(0.0, {})
    assert history.recent(10.0, {"loop": 3}) == {"seconds": 10.0, "counts": {"loop": 3}}


def test_only_the_last_minutes_count() -> None:
    history = DropHistory()
    for number in range(100):
        history.sample(number * 15.0, {"loop": number, "ecn": 7})
    recent = history.recent(99 * 15.0, {"loop": 99, "ecn": 7})
    assert recent == {"seconds": HISTORY, "counts": {"loop": 20}}


def test_memory_is_bounded() -> None:
    history = DropHistory()
    for number in range(10_000):
        history.sample(float(number), {})
    assert len(history._samples) <= HISTORY + 2


def test_a_counter_of_the_kernel_gets_its_time() -> None:
    seen = LastSeen()

    def last(count: int, now: float) -> float:
        row = {"reason": "loop", "source": "10.0.1.40", "count": count, "last": None}
        told = {"reason": "ecn", "source": "10.0.1.40", "count": 1, "last": 5.0}
        seen.fill([row, told], now)
        assert told["last"] == 5.0
        return row["last"]  # type: ignore[return-value]

    assert [last(3, 10.0), last(3, 25.0), last(4, 40.0), last(4, 55.0)] == [10.0, 10.0, 40.0, 40.0]
    seen.fill([], 70.0)
    assert last(4, 85.0) == 85.0, "what is no longer there is forgotten"


def test_every_reason_has_a_meaning() -> None:
    assert len(MEANINGS) == len(Drop)
    assert all(MEANINGS.values())
