"""The registrar's queue on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.protocol.names import NOTHING, StoredEntry
from manageout.service.names_store import NamesStore

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
    (tmp_path / "names.db").write_text("rubbish " * 200)
    store = NamesStore(tmp_path)
    assert store.load() == []
    assert (tmp_path / "names.unreadable").exists()


def test_a_place_where_nothing_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(ManageoutError, match="cannot keep the names"):
        NamesStore(tmp_path / "x")
