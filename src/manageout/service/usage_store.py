"""The record of who opens connections to clients, on disk: SQLite in WAL mode, bounded in days and in rows.

One worker thread writes. A file that cannot be read is set aside, never deleted; a full disk costs this record only.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from manageout.errors import ManageoutError
from manageout.service.files import set_aside
from manageout.service.usage_file import COLUMNS, FILE, Usage
from manageout.words import said

MAX_ROWS, MAX_RUNS = 200_000, 1000
SAME_RUN = 60.0
"""A restart that takes no longer is no gap."""

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS usage (
  day INTEGER NOT NULL, manager TEXT NOT NULL, way TEXT NOT NULL, client TEXT NOT NULL, protocol TEXT NOT NULL,
  port INTEGER NOT NULL, first REAL NOT NULL, last REAL NOT NULL, calls INTEGER NOT NULL, unanswered INTEGER NOT NULL,
  bytes INTEGER NOT NULL, PRIMARY KEY (day, manager, way, client, protocol, port)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (begun REAL PRIMARY KEY, ended REAL NOT NULL) STRICT;
"""
_ADD = f"""
INSERT INTO usage ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (day, manager, way, client, protocol, port) DO UPDATE SET
  first = min(first, excluded.first), last = max(last, excluded.last), calls = calls + excluded.calls,
  unanswered = unanswered + excluded.unanswered, bytes = bytes + excluded.bytes
"""  # noqa: S608 - a constant
# What ended after its row was given up is not taken up again.
_END = """
UPDATE usage SET unanswered = unanswered + ?, bytes = bytes + ?
WHERE day = ? AND manager = ? AND way = ? AND client = ? AND protocol = ? AND port = ?
"""


class UsageStore:
    """The file ``usage.db`` in ``directory``. Raises :class:`ManageoutError` when it cannot be made."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE
        self.failing = ""
        """Why the last write failed, or nothing."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            try:
                self._db = self._open()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                aside = set_aside(self.path)
                log.warning("%s is not a database any more: set aside as %s", self.path, aside.name)
                self._db = self._open()
        except (OSError, sqlite3.Error) as error:
            raise ManageoutError(
                f"cannot keep who opens connections in {self.path}: {said(error)}",
                "set daemon.state_dir to a directory that can be written",
            ) from None

    def _open(self) -> sqlite3.Connection:
        # The connection moves between the event loop (load, close) and one worker at a time (write).
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=2.0)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.executescript(_SCHEMA)
        except sqlite3.Error:
            db.close()
            raise
        return db

    def run(self, now: float) -> tuple[float, float]:
        """When the run that goes on at ``now`` began, and up to when connections are recorded (0: never)."""
        found = self._db.execute("SELECT begun, ended FROM runs ORDER BY ended DESC LIMIT 1").fetchone()
        begun, ended = found or (now, 0.0)
        return (begun if 0 <= now - ended <= SAME_RUN else now), ended

    def keys(self, day: int) -> list[tuple[str, str, str, str, int]]:
        """Manager, way, client, protocol and port of every row of ``day``."""
        query = "SELECT manager, way, client, protocol, port FROM usage WHERE day = ?"
        return self._db.execute(query, (day,)).fetchall()

    def write(self, rows: Sequence[Usage], begun: float | None, now: float, oldest: int) -> bool:
        """Add ``rows`` and note that the run that began at ``begun`` goes on; forget days before ``oldest``.

        One transaction; None: nobody watches. False when that failed, which is logged once until it works again.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(_ADD, (row for row in rows if row.calls))
                self._db.executemany(
                    _END, ((row.unanswered, row.bytes, *row[:6]) for row in rows if not row.calls)
                )
                if begun is not None:
                    self._db.execute("INSERT OR REPLACE INTO runs VALUES (?, ?)", (begun, now))
                self._db.execute("DELETE FROM usage WHERE day < ?", (oldest,))
                self._db.execute("COMMIT")
            except sqlite3.Error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            if not self.failing:
                log.warning("who opens connections cannot be stored in %s: %s", self.path, error)
            self.failing = said(error)
            return False
        self.failing = ""
        return True

    def bound(self, oldest: int) -> None:
        """Keep to :data:`MAX_ROWS`, giving up whole days, and to runs that end on ``oldest`` or later."""
        try:
            self._db.execute("DELETE FROM runs WHERE ended < ?", (oldest * 86400,))
            newest = "SELECT begun FROM runs ORDER BY begun DESC LIMIT ?"
            self._db.execute(f"DELETE FROM runs WHERE begun NOT IN ({newest})", (MAX_RUNS,))  # noqa: S608
            while self._db.execute("SELECT count(*) FROM usage").fetchone()[0] > MAX_ROWS:
                self._db.execute("DELETE FROM usage WHERE day = (SELECT min(day) FROM usage)")
        except sqlite3.Error as error:
            log.warning("%s cannot be tidied: %s", self.path, error)

    def close(self) -> None:
        """Fold the log into the file."""
        self._db.close()
