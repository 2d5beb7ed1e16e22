"""Calls summed up within bounds."""

from __future__ import annotations

from manageout.service.state.usage import DAY, Usage
from manageout.service.usage import rows as usage_rows
from manageout.service.usage.rows import MANY, PER_MANAGER, Key, UsageRows

NOW = 20_000.0 * DAY + 100
RDP: Key = ("10.0.1.30", "ISATAP", "laptop", "tcp", 3389)


def port(number: int, manager: str = "10.0.1.66") -> Key:
    return manager, "ISATAP", "laptop", "tcp", number


def test_calls_of_one_kind_are_one_row() -> None:
    rows = UsageRows(NOW, [])
    for second in range(3):
        rows.began(RDP, NOW + second)
    rows.ended(RDP, NOW, True, 5000)
    rows.ended(RDP, NOW + 1, False, 60)
    assert rows.take() == [Usage(20_000, *RDP, NOW, NOW + 2, 3, 1, 5060)]
    assert rows.take() == []


def test_each_day_has_its_own_row_and_an_end_belongs_to_the_day_of_its_beginning() -> None:
    rows = UsageRows(NOW, [])
    rows.began(RDP, NOW)
    rows.began(RDP, NOW + DAY)
    rows.ended(RDP, NOW, True, 7)
    assert [(row.day, row.calls, row.bytes) for row in rows.take()] == [(20_000, 1, 7), (20_001, 1, 0)]


def test_a_scanner_becomes_one_row_and_leaves_the_others_alone() -> None:
    rows = UsageRows(NOW, [])
    for number in range(1, 5000):
        rows.began(port(number), NOW)
        rows.ended(port(number), NOW, False, 60)
    rows.began(RDP, NOW)
    found = rows.take()
    assert len(found) == PER_MANAGER + 2
    (rest,) = [row for row in found if row.client == MANY]
    assert (rest.manager, rest.protocol, rest.port) == ("10.0.1.66", "tcp", 0)
    assert rest.calls == rest.unanswered == 4999 - PER_MANAGER
    assert found[-1][1:6] == RDP


def test_the_bound_holds_across_a_restart_and_ends_with_the_day() -> None:
    rows = UsageRows(NOW, [port(number) for number in range(PER_MANAGER)])
    rows.began(port(9999), NOW)
    rows.began(port(9999), NOW + DAY)
    assert [row.client for row in rows.take()] == [MANY, "laptop"]


def test_all_managers_together_are_bounded_too() -> None:
    rows = UsageRows(NOW, [])
    for number in range(usage_rows.MAX_KEYS + 500):
        rows.began(port(22, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"), NOW)
    found = rows.take()
    assert len(found) == usage_rows.MAX_KEYS + 1
    assert found[-1][1:6] == (MANY, "ISATAP", MANY, "tcp", 0)
    assert found[-1].calls == 500


def test_what_could_not_be_written_comes_again() -> None:
    rows = UsageRows(NOW, [])
    rows.began(RDP, NOW)
    taken = rows.take()
    rows.began(RDP, NOW + 1)
    rows.give_back(taken)
    assert rows.take() == [Usage(20_000, *RDP, NOW, NOW + 1, 2, 0, 0)]


def test_a_clock_that_is_set_back_keeps_the_bounds() -> None:
    rows = UsageRows(NOW, [])
    for number in range(2 * PER_MANAGER):
        rows.began(port(number), NOW - 3 * DAY)
    assert len(rows.take()) == PER_MANAGER + 1
