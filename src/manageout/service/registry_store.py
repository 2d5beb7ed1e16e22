"""The registry on disk: SQLite in WAL mode, so that neither a restart nor SIGKILL loses more than a second.

Every write happens in one worker thread. A file that cannot be read is set aside, never deleted, and a disk that
is full costs persistence only: the router goes on.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from manageout.errors import ManageoutError
from manageout.protocol.registry import HostRecord
from manageout.service.files import set_aside
from manageout.words import said

FILE = "isatap-hosts.db"

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS hosts (
  v4 BLOB PRIMARY KEY, flags INTEGER NOT NULL, first_seen INTEGER NOT NULL, last_rs INTEGER NOT NULL,
  last_packet INTEGER NOT NULL, packets_in INTEGER NOT NULL, bytes_in INTEGER NOT NULL,
  packets_out INTEGER NOT NULL, bytes_out INTEGER NOT NULL, name TEXT NOT NULL, name_checked INTEGER NOT NULL
) STRICT, WITHOUT ROWID
"""
_WRITE = "INSERT OR REPLACE INTO hosts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class RegistryStore:
    """The file ``isatap-hosts.db`` in ``directory``. Raises :class:`ManageoutError` when it cannot be made."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE
        self._failing = False
        try:
            directory.mkdir(parents=True, exist_ok=True)
            try:
                self._db = self._open()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                aside = set_aside(self.path)
                log.warning(
                    "%s is not a database any more: set aside as %s, starting anew", self.path, aside.name
                )
                self._db = self._open()
        except (OSError, sqlite3.Error) as error:
            raise ManageoutError(
                f"cannot keep the host registry in {self.path}: {said(error)}",
                "set daemon.state_dir to a directory that can be written",
            ) from None

    def _open(self) -> sqlite3.Connection:
        # The connection moves between the event loop (load, close) and one worker at a time (write).
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=2.0)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA cache_size = -256")  # KiB: it is written, hardly read
            db.execute(_SCHEMA)
        except sqlite3.Error:
            db.close()
            raise
        return db

    def load(self) -> Iterator[HostRecord]:
        """Every stored host."""
        return map(HostRecord._make, self._db.execute("SELECT * FROM hosts"))

    def write(self, changed: Sequence[HostRecord], removed: Sequence[bytes]) -> bool:
        """Store in one transaction. False when that failed, which is logged once until it works again."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("DELETE FROM hosts WHERE v4 = ?", ((v4,) for v4 in removed))
                self._db.executemany(_WRITE, changed)
                self._db.execute("COMMIT")
            except sqlite3.Error:
                self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            if not self._failing:
                log.warning("the host registry cannot be stored in %s: %s", self.path, error)
            self._failing = True
            return False
        self._failing = False
        return True

    def close(self) -> None:
        """Fold the log into the file."""
        self._db.close()
