"""Budgets for lines of the log."""

from __future__ import annotations

from manageout.protocol.core.log_limit import MAX_SOURCES, LogLimit


def test_one_source_leaves_room_for_others() -> None:
    lines = LogLimit(rate=1, burst=20, each_rate=0.5, each_burst=5)
    assert [lines.take("loud", 0.0) for _ in range(8)] == [0, 0, 0, 0, 0, None, None, None]
    assert lines.take("quiet", 0.0) == 3
    assert lines.take("quiet", 0.0) == 0
    assert lines.take("loud", 2.0) == 0


def test_all_together_have_a_limit() -> None:
    lines = LogLimit(rate=1, burst=20, each_rate=0.5, each_burst=5)
    said = [lines.take(str(number), 0.0) is not None for number in range(3 * MAX_SOURCES)]
    assert sum(said) == 20
    assert len(lines._sources) == MAX_SOURCES
