"""The record of calls on disk: adds up, is bounded, survives, and says when nobody watched."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.service.state import usage as usage_store
from manageout.service.state.usage import DAY, FILE, SCHEMA, Day, Usage, UsageFile, UsageStore
from tests.unit.service.state.test_database import limit

DAY_NUMBER = 20_000
NOW = DAY_NUMBER * DAY + 100.0
RDP = Usage(DAY_NUMBER, "10.0.1.30", "ISATAP", "laptop", "tcp", 3389, NOW, NOW, 1, 0, 0)


def test_rows_add_up(tmp_path: Path) -> None:
    store = UsageStore(tmp_path)
    assert store.write([RDP], NOW, NOW, 0)
    assert store.write([RDP._replace(first=NOW + 5, last=NOW + 9, calls=2, bytes=10)], NOW, NOW + 10, 0)
    assert list(UsageFile(tmp_path).rows()) == [RDP._replace(last=NOW + 9, calls=3, bytes=10)]


def test_an_end_adds_to_a_row_but_makes_none(tmp_path: Path) -> None:
    store = UsageStore(tmp_path)
    store.write([RDP], NOW, NOW, 0)
    end = RDP._replace(calls=0, unanswered=1, bytes=60)
    store.write([end, end._replace(client="gone")], NOW, NOW, 0)
    assert list(UsageFile(tmp_path).rows()) == [RDP._replace(unanswered=1, bytes=60)]


def test_a_restart_within_a_minute_is_no_gap(tmp_path: Path) -> None:
    store = UsageStore(tmp_path)
    assert store.run(NOW) == (NOW, 0.0)
    store.write([], NOW, NOW + 50, 0)
    assert store.run(NOW + 100) == (NOW, NOW + 50)
    assert store.run(NOW + 500) == (NOW + 500, NOW + 50)
    assert store.run(NOW + 10) == (NOW + 10, NOW + 50), "a clock that was set back"
    store.write([], NOW + 500, NOW + 600, 0)
    file = UsageFile(tmp_path)
    assert file.runs() == [(NOW, NOW + 50), (NOW + 500, NOW + 600)]
    assert file.watched(NOW + 1000) == 150
    assert file.watched(NOW + 1000, NOW + 40) == 110
    assert file.watched(NOW + 620) == 170, "it goes on, and will be noted"
    assert file.watched(NOW + 550) == 100, "the future is no evidence"
    assert file.watched(NOW + 620, NOW + 630) == 0


def test_without_a_watcher_no_time_is_watched(tmp_path: Path) -> None:
    store = UsageStore(tmp_path)
    store.write([RDP], None, NOW, 0)
    assert UsageFile(tmp_path).watched(NOW + 1) == 0


def days(directory: Path) -> list[int]:
    return [row.day for row in UsageFile(directory).rows()]


def test_old_days_go(tmp_path: Path) -> None:
    store = UsageStore(tmp_path)
    store.write([RDP, RDP._replace(day=DAY_NUMBER - 90)], NOW, NOW, DAY_NUMBER - 89)
    assert days(tmp_path) == [DAY_NUMBER]


def test_of_what_is_old_few_rows_go_with_each_write_the_oldest_first(tmp_path: Path) -> None:
    """As when a daemon starts while the clock is a year ahead."""
    store = UsageStore(tmp_path)
    before = range(DAY_NUMBER, DAY_NUMBER + 50)
    store.write([RDP._replace(day=day, port=port) for day in before for port in range(4)], NOW, NOW, 0)
    store.close()
    store, ahead = UsageStore(tmp_path), DAY_NUMBER + 400
    row, later = RDP._replace(day=ahead), NOW + 400 * DAY
    assert store.write([], later, later, ahead - 89)
    assert len(days(tmp_path)) == 199
    assert store.write([row, row._replace(port=22)], later, later, ahead - 89)
    assert len(days(tmp_path)) == 199 - 4 + 2
    for _ in range(50):
        assert store.write([row, row._replace(calls=0, bytes=10)], later, later, ahead - 89)
    assert len(days(tmp_path)) == 197, "none came"
    assert set(days(tmp_path)) == {*before[1:], ahead}


def test_what_was_watched_is_not_forgotten_by_a_clock_that_is_wrong(tmp_path: Path) -> None:
    store = UsageStore(tmp_path)
    store.write([RDP, RDP._replace(day=DAY_NUMBER + 79)], NOW, NOW + 80 * DAY, 0)
    later = NOW + 400 * DAY
    for _ in range(2):
        store.write([], later, later + 5, DAY_NUMBER + 400 - 89)
        store.bound(90)
    assert UsageFile(tmp_path).watched(NOW + 81 * DAY) == 80 * DAY


def test_a_run_goes_with_the_calls_of_its_days(tmp_path: Path) -> None:
    """Else it would be evidence that nobody called in that time; where nobody did, it stays."""
    store = UsageStore(tmp_path)
    for number in range(4):
        begun = NOW + number * 30 * DAY
        rows = [RDP._replace(day=DAY_NUMBER + number * 30)] if number in (1, 3) else []
        store.write(rows, begun, begun + 100, 0)
    store.write([], None, NOW, DAY_NUMBER + 90)
    assert [begun for begun, _ in UsageFile(tmp_path).runs()] == [NOW + n * 30 * DAY for n in (2, 3)]
    store.write([], None, NOW, DAY_NUMBER + 90)
    assert [begun for begun, _ in UsageFile(tmp_path).runs()] == [NOW + n * 30 * DAY for n in (2, 3)]


def test_of_no_days_nothing_is_kept(tmp_path: Path) -> None:
    store = UsageStore(tmp_path)
    store.write([RDP, RDP._replace(day=DAY_NUMBER + 5)], NOW, NOW + 5, 0)
    store.bound(0)
    assert (days(tmp_path), UsageFile(tmp_path).runs()) == ([], [])


def test_too_many_rows_cost_whole_days_the_oldest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_store, "MAX_ROWS", 5)
    store = UsageStore(tmp_path)
    for day in range(4):
        rows = [RDP._replace(day=DAY_NUMBER + day, port=port) for port in range(2)]
        store.write(rows, NOW, NOW, 0)
    store.bound(90)
    assert sorted({row.day for row in UsageFile(tmp_path).rows()}) == [DAY_NUMBER + 2, DAY_NUMBER + 3]


def test_runs_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_store, "MAX_RUNS", 3)
    store = UsageStore(tmp_path)
    for number in range(6):
        store.write([], NOW + number * DAY, NOW + number * DAY + 1, 0)
    store.bound(90)
    assert [begun for begun, _ in UsageFile(tmp_path).runs()] == [NOW + day * DAY for day in (3, 4, 5)]


def test_the_keys_of_a_day(tmp_path: Path) -> None:
    store = UsageStore(tmp_path)
    store.write([RDP, RDP._replace(day=DAY_NUMBER - 1, port=22)], NOW, NOW, 0)
    assert store.keys(DAY_NUMBER) == [("10.0.1.30", "ISATAP", "laptop", "tcp", 3389)]


def test_a_damaged_file_is_set_aside_and_not_over_another(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / FILE).write_bytes(b"rubbish %d" % number * 1000)
        store = UsageStore(tmp_path)
        assert store.write([RDP], NOW, NOW, 0)
        store.close()
    assert (tmp_path / "usage.unreadable").read_bytes().startswith(b"rubbish 0")
    assert (tmp_path / "usage.unreadable-1").read_bytes().startswith(b"rubbish 1")


def test_a_write_that_fails_is_told_and_changes_nothing(tmp_path: Path) -> None:
    store = UsageStore(tmp_path)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("PRAGMA max_page_count = 1")
    limit(store, 4)
    many = [RDP._replace(port=port) for port in range(5000)]
    assert not store.write(many, NOW, NOW, 0)
    assert "full" in store.refusal
    limit(store, 100000)
    assert store.write(many, NOW, NOW, 0)
    assert (store.refusal, len(list(UsageFile(tmp_path).rows()))) == ("", 5000)


def test_of_a_damaged_file_only_what_makes_sense_is_read(tmp_path: Path) -> None:
    loose = SCHEMA.steps[0].replace(" STRICT, WITHOUT", " WITHOUT").replace(") STRICT", ")")
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.executescript(f"{loose}; PRAGMA user_version = {SCHEMA.version}")
        db.execute("INSERT INTO runs VALUES ('long ago', 90.0), (x'00', 'today'), (1.0, 80.0)")
        key = "5, ?, 'IPv6', 'laptop', 'TCP', 445, 1, 1, 1, 1, 1"
        db.executemany(f"INSERT INTO usage VALUES ({key})", [(b"\xff",), ("10.0.0.1",)])
        db.commit()
    store = UsageStore(tmp_path)
    assert store.run(100.0) == (100.0, 0.0), (
        "the latest makes no sense, and nothing is guessed from older ones"
    )
    assert store.keys(5) == [("10.0.0.1", "IPv6", "laptop", "TCP", 445)]
    store.close()


def test_a_run_that_was_noted_while_the_clock_was_ahead_is_not_the_last_one(tmp_path: Path) -> None:
    store = UsageStore(tmp_path)
    for begun, now in ((1000.0, 2000.0), (9e8, 9e8 + 5), (2010.0, 2500.0)):
        assert store.write([], begun, now, 0)
    assert store.run(2520.0) == (2010.0, 2500.0)
    store.close()


CALLS = RDP._replace(calls=2, unanswered=1, bytes=500)


@pytest.fixture
def file(tmp_path: Path) -> UsageFile:
    rows = [
        CALLS,
        CALLS._replace(port=22, last=NOW + 50),
        CALLS._replace(manager="10.0.1.31", bytes=1),
        CALLS._replace(way="NAT46"),
        CALLS._replace(day=20_001, last=NOW + DAY),
    ]
    UsageStore(tmp_path).write(rows, NOW, NOW + 10, 0)
    return UsageFile(tmp_path)


def test_days_by_way(file: UsageFile) -> None:
    assert file.days() == [
        Day(20_000, "ISATAP", 2, 6, 1001),
        Day(20_000, "NAT46", 1, 2, 500),
        Day(20_001, "ISATAP", 1, 2, 500),
    ]


def test_rows_since(file: UsageFile) -> None:
    assert [(row.day, row.port) for row in file.rows(NOW + 20)] == [(20_000, 22), (20_001, 3389)]


def test_no_file_says_why_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(ManageoutError, match="nobody has watched") as refusal:
        UsageFile(tmp_path).watched(NOW)
    assert "usage_days" in refusal.value.hint


def test_a_damaged_file_is_a_clear_line(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"rubbish" * 1000)
    with pytest.raises(ManageoutError, match="cannot be read"):
        list(UsageFile(tmp_path).rows())
