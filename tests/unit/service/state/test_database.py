"""A store's file: steps from older ones, newer and damaged ones. Full and read-only disks are system tests."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from manageout.service.state import hosts as registry_store
from manageout.service.state import leases as lease_store
from manageout.service.state import names as names_store
from manageout.service.state import retire as retire_store
from manageout.service.state import usage as usage_store
from manageout.service.state.database import Database, Schema, statements
from manageout.service.state.hosts import RegistryStore
from manageout.service.state.leases import LeaseStore, stored_periods
from manageout.service.state.names import NamesStore
from manageout.service.state.retire import RetireStore
from manageout.service.state.usage import UsageStore

OLD = Path(__file__).parents[3] / "vectors" / "stores"
"""What the version without a schema number has written, as SQL."""
ONE = "CREATE TABLE IF NOT EXISTS things (name TEXT PRIMARY KEY, size INTEGER NOT NULL) STRICT, WITHOUT ROWID"
THINGS = Schema("the things", (ONE,), ("synchronous = FULL",))
MORE = Schema("the things", (ONE, "CREATE TABLE notes (text TEXT NOT NULL) STRICT"))
STORES: dict[str, tuple[Any, Schema]] = {
    "leases": (LeaseStore, lease_store.SCHEMA),
    "usage": (UsageStore, usage_store.SCHEMA),
    "isatap-hosts": (RegistryStore, registry_store.SCHEMA),
    "names": (NamesStore, names_store.SCHEMA),
    "retire": (RetireStore, retire_store.SCHEMA),
}


def limit(database: Database, pages: int) -> None:
    """Let the file grow to so many pages only: a disk that is full, as far as SQLite is concerned."""
    with database.transaction() as db:
        pass
    db.execute(f"PRAGMA max_page_count = {pages}")


def impatient(database: Database) -> None:
    """Do not wait for a lock."""
    with database.transaction() as db:
        pass
    db.execute("PRAGMA busy_timeout = 1")


def put(database: Database, name: str, size: int = 1) -> None:
    with database.transaction() as db:
        db.execute("INSERT OR REPLACE INTO things VALUES (?, ?)", (name, size))


def names(database: Database) -> list[str]:
    return [name for (name,) in database.rows("SELECT name FROM things ORDER BY name")]


def codes(database: Database) -> list[str]:
    return [finding.code for finding in database.findings("THINGS", "so it is")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "things.db"


@pytest.fixture
def opened(path: Path) -> Iterator[Database]:
    database = Database(path, THINGS)
    yield database
    database.close()


def test_what_is_stored_is_there_again(opened: Database, path: Path) -> None:
    put(opened, "a")
    opened.close()
    again = Database(path, THINGS)
    assert (names(again), codes(again)) == (["a"], [])
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    again.close()


def test_a_file_of_before_is_stepped_up_and_keeps_its_rows(opened: Database, path: Path) -> None:
    put(opened, "a")
    opened.close()
    again = Database(path, MORE)
    assert names(again) == ["a"] and again.rows("SELECT * FROM notes") == []
    again.close()


def test_a_step_that_fails_changes_nothing(opened: Database, path: Path) -> None:
    put(opened, "a")
    opened.close()
    wrong = Schema("the things", (ONE, "CREATE TABLE notes (x TEXT); INSERT INTO nowhere VALUES (1)"))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        with pytest.raises(sqlite3.OperationalError):
            wrong.bring_up(db)
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert not db.execute("SELECT * FROM sqlite_master WHERE name = 'notes'").fetchall()


@pytest.mark.parametrize("name", STORES)
def test_files_of_the_version_without_a_number_are_stepped_up(tmp_path: Path, name: str) -> None:
    script, path = (OLD / f"{name}.0.sql").read_text(), tmp_path / f"{name}.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(script)
        tables = [table for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {
            table: ", ".join(row[1] for row in db.execute(f"PRAGMA table_info({table})")) for table in tables
        }
        before = {table: db.execute(f"SELECT {columns[table]} FROM {table}").fetchall() for table in tables}
    make, schema = STORES[name]
    store = make(tmp_path)
    if name == "retire":
        store.keep("x", {"y": 1})  # a command writes, nobody else steps
    else:
        assert not list(store.findings("X", ""))
        store.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (schema.version,)
        after = {table: db.execute(f"SELECT {columns[table]} FROM {table}").fetchall() for table in tables}
    assert after == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_what_old_files_say_is_understood(tmp_path: Path) -> None:
    for name in STORES:
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as db:
            db.executescript((OLD / f"{name}.0.sql").read_text())
    leases = LeaseStore(tmp_path)
    assert [(lease.identity, lease.state) for lease in leases.load()] == [
        ("laptop.corp.example", "held"),
        ("tablet.corp.example", "past"),
    ]
    assert (leases.next_period(), [row.period for row in leases.open_periods(9.0)]) == (9, [8])
    assert len(list(stored_periods(tmp_path))) == 2
    assert UsageStore(tmp_path).keys(20000) == [("10.0.1.30", "ISATAP", "laptop", "tcp", 3389)]
    assert len(list(RegistryStore(tmp_path).load())) == 2
    assert [entry.identity for entry in NamesStore(tmp_path).load()] == ["laptop"]
    assert [member.wave for member in RetireStore(tmp_path).members()] == ["first"]


def test_a_newer_file_stays_as_it_is_and_memory_is_used_beside_it(opened: Database, path: Path) -> None:
    put(opened, "a")
    opened.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA user_version = 7")
    before = path.read_bytes()
    beside = Database(path, THINGS)
    assert names(beside) == ["a"], "what it says is known"
    put(beside, "b")
    assert names(beside) == ["a", "b"]
    assert codes(beside) == ["THINGS-NOT-KEPT"]
    beside.close()
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name]


def damage(path: Path, where: int) -> None:
    with path.open("r+b") as file:
        file.seek(where)
        file.write(b"\xa5" * 4096)


def filled(path: Path, rows: int = 5000) -> None:
    database = Database(path, THINGS)
    with database.transaction() as db:
        db.executemany("INSERT INTO things VALUES (?, ?)", ((f"{n:06}", n) for n in range(rows)))
    database.close()


def test_what_can_still_be_read_of_a_damaged_file_is_kept(path: Path) -> None:
    filled(path)
    damage(path, 8192)
    found = Database(path, THINGS)
    kept = len(names(found))
    assert found.aside == path.with_suffix(".unreadable") and found.aside.exists()
    assert codes(found) == ["THINGS-UNREADABLE"]
    assert kept == found.rescued
    put(found, "new")
    found.close()
    again = Database(path, THINGS)
    assert len(names(again)) == kept + 1 and codes(again) == []
    again.close()


def test_damage_that_is_met_late_is_no_end_either(path: Path) -> None:
    filled(path)
    size = path.stat().st_size
    damage(path, size - size // 4 // 4096 * 4096)
    found = Database(path, THINGS)
    kept = names(found)
    assert 1000 < len(kept) < 5000 and found.rescued == len(kept)
    put(found, "new")
    assert len(names(found)) == len(kept) + 1
    found.close()


@pytest.mark.parametrize("version", [-1, -100])
def test_a_number_that_no_version_has_is_damage(path: Path, version: int) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {version}")
    found = Database(path, THINGS)
    assert found.aside is not None and len(names(found)) == 5000
    found.close()


def test_a_broken_name_costs_no_row_but_its_own(path: Path) -> None:
    filled(path)
    path.write_bytes(path.read_bytes().replace(b"000007", b"0\xff\xfe007"))
    found = Database(path, THINGS)
    assert len(names(found)) == 5000 and "000008" in names(found)
    put(found, "new")
    assert codes(found) == ["THINGS-UNREADABLE"]
    found.close()


def test_a_schema_in_broken_words_is_damage(path: Path) -> None:
    filled(path)
    path.write_bytes(
        path.read_bytes().replace(b"CREATE TABLE things", b"CREATE TABLE \xff\xfe\xfd\xfc\xfb\xfa", 1)
    )
    found = Database(path, THINGS)
    put(found, "new")
    assert found.aside is not None and "new" in names(found)
    found.close()


def test_rows_that_no_schema_allows_are_left_out(tmp_path: Path) -> None:
    for name, (store, _) in STORES.items():
        if name in ("retire", "usage"):
            continue
        store(tmp_path).close()
        with closing(sqlite3.connect(tmp_path / f"{name}.db", isolation_level=None)) as db:
            table = {"leases": "leases", "isatap-hosts": "hosts", "names": "entries"}[name]
            loose = db.execute(f"SELECT sql FROM sqlite_master WHERE name = '{table}'").fetchone()[0]
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            db.execute(f"DROP TABLE {table}")
            db.execute(loose.replace("NOT NULL", "").replace("STRICT, ", ""))
            for kind in ("NULL", "-1", "1 << 40", "'text'", "x'00'"):
                values = ", ".join([f"x'0a0000{len(kind):02x}'", *[kind] * (len(columns) - 1)])
                db.execute(f"INSERT INTO {table} VALUES ({values})")
            sql = loose.replace("'", "''")
            db.execute("PRAGMA writable_schema = ON")
            db.execute(f"UPDATE sqlite_master SET sql = '{sql}' WHERE name = '{table}'")
        again = store(tmp_path)
        assert list(again.load()) == [], name
        again.close()


def test_a_database_of_somebody_else_is_set_aside(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE things (quite TEXT, another TEXT)")
    found = Database(path, THINGS)
    assert found.aside is not None
    put(found, "a")
    assert names(found) == ["a"]
    found.close()


def test_the_log_of_a_damaged_file_is_not_taken_for_that_of_the_new_one(path: Path) -> None:
    filled(path, 3)
    script = (
        "import os, sys, pathlib; from tests.unit.service.state.test_database import Database, THINGS, put\n"
        "put(Database(pathlib.Path(sys.argv[1]), THINGS), 'a'); os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], check=False, cwd=Path(__file__).parents[4], env=os.environ
    )
    assert done.returncode == -signal.SIGKILL
    path.write_bytes(b"no database " * 2000)
    found = Database(path, THINGS)
    assert found.aside is not None and names(found) == []
    put(found, "b")
    found.close()
    again = Database(path, THINGS)
    assert names(again) == ["b"]
    again.close()


def test_killed_while_the_new_file_is_put_into_its_place(path: Path) -> None:
    filled(path, 3)
    path.replace(path.with_suffix(".new"))
    again = Database(path, THINGS)
    assert len(names(again)) == 3 and not path.with_suffix(".new").exists()
    again.close()


def test_a_directory_that_cannot_be_made_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    database = Database(tmp_path / "file" / "below" / "things.db", THINGS)
    assert (names(database), codes(database)) == ([], ["THINGS-NOT-STORED"])
    with pytest.raises(sqlite3.Error):
        put(database, "a")
    (tmp_path / "file").unlink()
    put(database, "a")
    assert (names(database), codes(database)) == (["a"], [])
    database.close()


def test_a_lock_of_somebody_else_passes(path: Path) -> None:
    filled(path, 3)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        database = Database(path, THINGS)
        assert codes(database)
        other.execute("ROLLBACK")
    with pytest.raises(sqlite3.Error) if database.beside else closing(other):
        put(database, "a")
    database.close()


@pytest.mark.parametrize("name", ["hosts", "leases", "names", "retire", "usage"])
def test_every_statement_of_a_file_fits_its_schema_and_is_used(name: str) -> None:
    found = statements(f"{name}.sql")
    module = importlib.import_module(f"manageout.service.state.{name}")
    asked = set(re.findall(r'_SQL\["([^"]+)"\]', inspect.getsource(module)))
    assert set(found) == asked
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        module.SCHEMA.bring_up(db)
        for text in (text for title, text in found.items() if not title.startswith("step ")):
            db.execute(f"EXPLAIN {text}", (0,) * text.count("?"))
