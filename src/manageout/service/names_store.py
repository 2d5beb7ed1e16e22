"""The registrar's entries on disk, so that records of clients are neither forgotten nor left behind by a crash."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from manageout.errors import ManageoutError
from manageout.protocol.names import Records, StoredEntry
from manageout.service.files import set_aside
from manageout.words import said

FILE = "names.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
  name TEXT PRIMARY KEY, identity TEXT NOT NULL, wanted TEXT NOT NULL, known TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""
log = logging.getLogger(__name__)


class NamesStore:
    """The file in ``directory``; one that cannot be read is set aside. Raises :class:`ManageoutError`."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE
        try:
            directory.mkdir(parents=True, exist_ok=True)
            try:
                self._db = self._open()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                aside = set_aside(self.path)
                log.error("%s is not a database any more: set aside as %s", self.path, aside.name)
                self._db = self._open()
        except (OSError, sqlite3.Error) as error:
            raise ManageoutError(
                f"cannot keep the names in {self.path}: {said(error)}",
                "set daemon.state_dir to a directory that can be written",
            ) from None

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, timeout=2.0)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_SCHEMA)
        except sqlite3.Error:
            db.close()
            raise
        return db

    def load(self) -> list[StoredEntry]:
        """Every entry."""
        rows = self._db.execute("SELECT name, identity, wanted, known FROM entries").fetchall()
        return [
            StoredEntry(name, identity, _records(wanted), _records(known))
            for name, identity, wanted, known in rows
        ]

    def write(self, changes: Iterable[tuple[str, StoredEntry | None]]) -> str:
        """Store, or remove where it is None; all of it or nothing. Why not, when a full disk refuses."""
        try:
            with self._db:  # ends it, in either way
                self._db.execute("BEGIN")
                for name, entry in changes:
                    if entry is None:
                        self._db.execute("DELETE FROM entries WHERE name = ?", (name,))
                    else:
                        row = (name, entry.identity, _text(entry.wanted), _text(entry.known))
                        self._db.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", row)
        except sqlite3.Error as error:
            return said(error)
        return ""

    def close(self) -> None:
        """At the end."""
        self._db.close()


def _text(records: Records) -> str:
    return json.dumps(sorted(records))


def _records(text: str) -> Records:
    return frozenset((str(kind), str(value)) for kind, value in json.loads(text))
