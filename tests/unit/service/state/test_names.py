"""The registrar's queue on disk."""

from __future__ import annotations

from pathlib import Path

from manageout.protocol.names.registrar import NOTHING, StoredEntry
from manageout.service.state.names import NamesStore
from tests.unit.service.state.test_database import limit

ENTRY = StoredEntry("laptop.corp.example", "laptop", frozenset({("A", "10.0.0.130")}), NOTHING)


def test_what_is_written_is_there_after_a_restart(tmp_path: Path) -> None:
    store = NamesStore(tmp_path)
    store.write([(ENTRY.name, ENTRY)])
    store.close()
    assert NamesStore(tmp_path).load() == [ENTRY]


def test_what_is_gone_is_gone(tmp_path: Path) -> None:
    store = NamesStore(tmp_path)
    store.write([(ENTRY.name, ENTRY), ("x", None)])
    store.write([(ENTRY.name, None)])
    assert store.load() == []


def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path) -> None:
    for content in ("rubbish " * 200, "nonsense " * 200):
        (tmp_path / "names.db").write_text(content)
        store = NamesStore(tmp_path)
        assert store.load() == []
        store.close()
    assert (tmp_path / "names.unreadable").read_text().startswith("rubbish")
    assert (tmp_path / "names.unreadable-1").read_text().startswith("nonsense")


def test_a_disk_that_refuses_says_so_and_can_be_tried_again(tmp_path: Path) -> None:
    store = NamesStore(tmp_path)
    limit(store, 3)
    many = [(f"{number}.{ENTRY.name}", ENTRY._replace(name=f"{number}.{ENTRY.name}")) for number in range(99)]
    assert "full" in store.write(many)
    assert store.load() == []
    limit(store, 1000)
    assert store.write(many) == ""
    assert len(store.load()) == 99
