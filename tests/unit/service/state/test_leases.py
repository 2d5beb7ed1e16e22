"""The lease database: what is committed survives, and the audit log only grows."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.protocol.leases.leases import Lease, State
from manageout.service.state import leases as lease_store
from manageout.service.state.leases import (
    DAY,
    FILE,
    LOST,
    SCHEMA,
    AuditRow,
    LeaseStore,
    StoredLease,
    stored_leases,
    stored_periods,
)

NOW = 1_700_000_000.0
V4, V6 = bytes((10, 0, 8, 1)), b"\xfd" + bytes(14) + b"\x01"
LEASE = StoredLease(V4, "laptop", "held", NOW, V6)
HELD = AuditRow(1, "held", NOW, V4, "laptop", V6, "ip-https", "192.0.2.1:5", "")
ENDED = HELD._replace(event="ended", at=NOW + 60, reason="dead peer")

_KILLED = """
import os, signal, sys
from pathlib import Path
from tests.unit.service.state.test_leases import HELD, LEASE, LeaseStore
store = LeaseStore(Path(sys.argv[1]))
store.commit({LEASE.v4: LEASE}, [HELD])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_is_committed_is_read_again(tmp_path: Path) -> None:
    store = LeaseStore(tmp_path)
    store.commit({V4: LEASE}, [])
    store.close()
    assert LeaseStore(tmp_path).load() == [Lease(V4, "laptop", State.HELD, NOW, V6)]


def test_what_is_gone_is_gone(tmp_path: Path) -> None:
    store = LeaseStore(tmp_path)
    store.commit({V4: LEASE}, [])
    store.commit({V4: None}, [])
    assert store.load() == []


def test_a_commit_survives_sigkill(tmp_path: Path) -> None:
    root = Path(__file__).parents[4]
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path)], cwd=root, check=False, env=os.environ
    )
    assert done.returncode == -signal.SIGKILL
    store = LeaseStore(tmp_path)
    assert [lease.identity for lease in store.load()] == ["laptop"]
    store.commit({}, store.open_periods(NOW + 99))
    (period,) = stored_periods(tmp_path)
    assert (period["since"], period["until"], period["ended"]) == (NOW, NOW + 99, LOST)


def test_a_period_has_a_beginning_and_an_end(tmp_path: Path) -> None:
    store = LeaseStore(tmp_path)
    store.commit({}, [HELD])
    assert [row["until"] for row in stored_periods(tmp_path)] == [None]
    store.commit({}, [ENDED, HELD._replace(period=2, at=NOW + 90)])
    store.commit({}, store.open_periods(NOW + 100))
    assert store.open_periods(NOW + 200) == []
    assert [(row["since"], row["until"], row["ended"]) for row in stored_periods(tmp_path)] == [
        (NOW + 90, NOW + 100, LOST),
        (NOW, NOW + 60, "dead peer"),
    ]
    assert store.next_period() == 3


def span(number: int, begin: float, end: float) -> list[AuditRow]:
    return [HELD._replace(period=number, at=begin), ENDED._replace(period=number, at=end)]


def test_old_periods_make_way_and_those_that_last_do_not(tmp_path: Path) -> None:
    store = LeaseStore(tmp_path)
    store.keep = 10 * DAY
    store.commit({}, [HELD._replace(period=1)])
    for number in range(2, 12):
        store.commit({}, span(number, NOW + number, NOW + number + 1))
    store.commit({}, span(12, NOW + 12, NOW + 9 * DAY))  # it has ended within the time
    assert len(list(stored_periods(tmp_path))) == 12
    later = NOW + 15 * DAY
    store.commit({}, [HELD._replace(period=13, at=later)])
    assert len(list(stored_periods(tmp_path))) == 11, (
        "two for one: a wrong clock does not cost the log at once"
    )
    for number in range(14, 20):
        store.commit({}, [HELD._replace(period=number, at=later)])
    begun = [row["since"] for row in stored_periods(tmp_path)]
    assert begun == [later] * 7 + [NOW + 12, NOW]
    store.close()
    assert LeaseStore(tmp_path).next_period() == 20


def test_the_audit_log_is_bounded_however_often_clients_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_store, "MAX_PERIODS", 20)
    for start in (1, 51):
        store = LeaseStore(tmp_path)
        for number in range(start, start + 50):
            store.commit({}, span(number, NOW + number, NOW + number))
            assert len(list(stored_periods(tmp_path))) <= 21
        store.close()
    assert next(iter(stored_periods(tmp_path)))["since"] == NOW + 100


def test_who_connects_again_and_again_rotates_out_its_own_periods_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_store, "MAX_PERIODS", 200)
    store = LeaseStore(tmp_path)
    for number in range(1, 21):
        store.commit(
            {}, [row._replace(identity="victim") for row in span(number, NOW + number, NOW + number)]
        )
    for number in range(21, 421):
        store.commit(
            {}, [row._replace(identity="hostile") for row in span(number, NOW + number, NOW + number)]
        )
        if number == 300:
            store.close()
            store = LeaseStore(tmp_path)
    found = Counter(row["name"] for row in stored_periods(tmp_path))
    assert found["victim"] == 20 and 170 < found["hostile"] <= 181
    assert store.crowded_by == "hostile"
    assert next(iter(stored_periods(tmp_path)))["since"] == NOW + 420, "its newest are there"


def test_what_was_lost_is_remembered_over_a_restart(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database " * 100)
    store = LeaseStore(tmp_path)
    assert store.lost_at(NOW) == NOW
    store.close()
    store = LeaseStore(tmp_path)
    assert store.lost_at(NOW + 99) == NOW
    store.close()
    assert LeaseStore(tmp_path / "new").lost_at(NOW) is None


@pytest.mark.parametrize("statement", ["UPDATE audit SET identity = 'x'", "DELETE FROM audit"])
def test_the_audit_log_is_append_only(tmp_path: Path, statement: str) -> None:
    LeaseStore(tmp_path).commit({}, [HELD])
    with sqlite3.connect(tmp_path / FILE) as db, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(statement)


def test_a_commit_that_fails_changes_nothing(tmp_path: Path) -> None:
    store = LeaseStore(tmp_path)
    with pytest.raises(sqlite3.IntegrityError):
        store.commit({V4: LEASE}, [HELD, HELD._replace(event="neither")])
    assert store.load() == [] and list(stored_periods(tmp_path)) == []
    store.commit({V4: LEASE}, [HELD])


def test_a_commit_that_is_tried_again_changes_nothing(tmp_path: Path) -> None:
    store = LeaseStore(tmp_path)
    for _ in range(2):
        store.commit({V4: LEASE}, [HELD])
    assert len(store.load()) == len(list(stored_periods(tmp_path))) == 1


def test_an_unreadable_file_is_set_aside(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / FILE).write_bytes(b"no database " * 100)
        store = LeaseStore(tmp_path)
        assert store.aside == tmp_path / ("leases.unreadable" if number == 1 else "leases.unreadable-1")
        assert store.load() == []
        store.close()


def test_of_a_damaged_file_only_what_makes_sense_is_read(tmp_path: Path) -> None:
    """In a flipped bit no promise of the schema holds; what was read is written again, and must fit there."""
    whole = ";".join(SCHEMA.steps)
    loose = whole.replace(" STRICT, WITHOUT", " WITHOUT").replace(") STRICT", ")")
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.executescript(f"{loose}; PRAGMA user_version = {SCHEMA.version}")
        db.execute("INSERT INTO notes VALUES ('lost', 'yesterday')")
        row = "INSERT INTO audit VALUES (NULL, ?, 'held', 1.0, ?, 'laptop', x'', 'ip-https', '192.0.2.1', '')"
        db.executemany(row, [("many", b"abcd"), (3, "10.0.0.1"), (4, b"abcd")])
        db.execute("INSERT INTO running VALUES (3), (4)")
        db.commit()
    store = LeaseStore(tmp_path)
    assert store.lost_at(5.0) is None
    assert store.next_period() == 5
    assert [row.period for row in store.open_periods(5.0)] == [4]
    store.close()


def fill(directory: Path, count: int = 3) -> LeaseStore:
    store = LeaseStore(directory)
    states = ("held", "grace", "past")
    leases = [
        StoredLease(bytes((10, 0, 8, n)), f"c{n}", states[n % 3], NOW, V6 if n else b"") for n in range(count)
    ]
    rows = [
        AuditRow(n + 1, "held", NOW + n, lease.v4, lease.identity, V6, "ip-https", "p", "")
        for n, lease in enumerate(leases)
    ]
    store.commit({lease.v4: lease for lease in leases}, rows)
    return store


def test_leases_by_address_without_those_that_are_only_remembered(tmp_path: Path) -> None:
    fill(tmp_path)
    rows = list(stored_leases(tmp_path))
    assert [(row["name"], row["ipv4"], row["state"], row["address"]) for row in rows] == [
        ("c0", "10.0.8.0", "held", None),
        ("c1", "10.0.8.1", "grace", "fd00::1"),
    ]


def test_periods_the_latest_first_and_not_more_than_asked_for(tmp_path: Path) -> None:
    fill(tmp_path).close()
    assert [row["name"] for row in stored_periods(tmp_path)] == ["c2", "c1", "c0"]
    assert [row["name"] for row in stored_periods(tmp_path, 2)] == ["c2", "c1"]


def test_no_file_and_no_database_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ManageoutError, match="no lease was ever given"):
        list(stored_leases(tmp_path))
    (tmp_path / FILE).write_bytes(b"no database " * 100)
    with pytest.raises(ManageoutError, match="cannot be read"):
        list(stored_periods(tmp_path))
