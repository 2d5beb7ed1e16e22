"""The registrar's entries on disk, so that records of clients are neither forgotten nor left behind by a crash."""

import contextlib
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from manageout.protocol.names.registrar import Records, StoredEntry
from manageout.service.state.database import Database, Schema, sound, statements
from manageout.words import said

FILE = "names.db"
_SQL = statements("names.sql")
SCHEMA = Schema("the names", (_SQL["step 1"], _SQL["step 2"]))


class NamesStore(Database):
    """The file in ``directory``."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory / FILE, SCHEMA)

    def load(self) -> list[StoredEntry]:
        """Every entry; of a damaged file, those that make sense."""
        rows = self.rows("SELECT name, identity, wanted, known, owned FROM entries")
        found = []
        for name, identity, wanted, known, owned in (
            row for row in rows if sound(row, str, str, str, str, int)
        ):
            with contextlib.suppress(ValueError, TypeError, RecursionError):
                found.append(StoredEntry(name, identity, _records(wanted), _records(known), owned != 0))
        return found

    def write(self, changes: Iterable[tuple[str, StoredEntry | None]]) -> str:
        """Store, or remove where it is None; all of it or nothing. Why not, when a full disk refuses."""
        try:
            with self.transaction() as db:
                for name, entry in changes:
                    if entry is None:
                        db.execute("DELETE FROM entries WHERE name = ?", (name,))
                    else:
                        row = (name, entry.identity, _text(entry.wanted), _text(entry.known), entry.owned)
                        db.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?)", row)
        except sqlite3.Error as error:
            return said(error)
        return ""


def _text(records: Records) -> str:
    return json.dumps(sorted(records))


def _records(text: str) -> Records:
    return frozenset((str(kind), str(value)) for kind, value in json.loads(text))
