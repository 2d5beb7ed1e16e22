"""The record of who opens connections to clients, on disk: SQLite in WAL mode, bounded in days and in rows.

One worker thread writes. A file that cannot be read is set aside, never deleted; a full disk costs this record only.
What is old goes a few rows at a time: a clock that is wrong at the start must not cost the whole record at once.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from manageout.service.state.database import Database, Schema, sound
from manageout.service.state.usage_file import COLUMNS, DAY, FILE, SAME_RUN, Usage

MAX_ROWS, MAX_RUNS = 200_000, 1000
_PRUNED = 2
"""Old rows that make way for a new one."""

_FIRST = """
CREATE TABLE IF NOT EXISTS usage (
  day INTEGER NOT NULL, manager TEXT NOT NULL, way TEXT NOT NULL, client TEXT NOT NULL, protocol TEXT NOT NULL,
  port INTEGER NOT NULL, first REAL NOT NULL, last REAL NOT NULL, calls INTEGER NOT NULL, unanswered INTEGER NOT NULL,
  bytes INTEGER NOT NULL, PRIMARY KEY (day, manager, way, client, protocol, port)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (begun REAL PRIMARY KEY, ended REAL NOT NULL) STRICT;
"""
SCHEMA = Schema("the calls of managers", (_FIRST,), ("synchronous = NORMAL",))
_KEY, _RUN = (str, str, str, str, int), ((int, float), (int, float))
_ADD = f"""
INSERT INTO usage ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (day, manager, way, client, protocol, port) DO UPDATE SET
  first = min(first, excluded.first), last = max(last, excluded.last), calls = calls + excluded.calls,
  unanswered = unanswered + excluded.unanswered, bytes = bytes + excluded.bytes
RETURNING calls
"""  # noqa: S608 - a constant
# What ended after its row was given up is not taken up again.
_END = """
UPDATE usage SET unanswered = unanswered + ?, bytes = bytes + ?
WHERE day = ? AND manager = ? AND way = ? AND client = ? AND protocol = ? AND port = ?
"""
_PRUNE = """
DELETE FROM usage WHERE (day, manager, way, client, protocol, port) IN (
  SELECT day, manager, way, client, protocol, port FROM usage WHERE day < ? ORDER BY day LIMIT ?
) RETURNING day
"""


class UsageStore:
    """The file ``usage.db`` in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.database = Database(directory / FILE, SCHEMA)
        self.path = self.database.path

    def run(self, now: float) -> tuple[float, float]:
        """When the run that goes on at ``now`` began, and up to when connections are recorded (0: never)."""
        # What ends later than now was noted while the clock was ahead.
        query = "SELECT begun, ended FROM runs ORDER BY ended > ?, ended DESC LIMIT 1"
        found = [row for row in self.database.rows(query, now) if sound(row, *_RUN)]
        begun, ended = found[0] if found else (now, 0.0)
        return (begun if 0 <= now - ended <= SAME_RUN else now), ended

    def keys(self, day: int) -> list[tuple[str, str, str, str, int]]:
        """Manager, way, client, protocol and port of every row of ``day``."""
        query = "SELECT manager, way, client, protocol, port FROM usage WHERE day = ?"
        rows = (row for row in self.database.rows(query, day) if sound(row, *_KEY))
        return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]

    def write(self, rows: Sequence[Usage], begun: float | None, now: float, oldest: int) -> bool:
        """Add ``rows`` and note that the run that began at ``begun`` goes on; forget a few rows before ``oldest``.

        One transaction; None: nobody watches. False when that failed, which is logged once until it works again.
        """
        try:
            with self.database.transaction() as db:
                added = sum(
                    db.execute(_ADD, row).fetchone()[0] == row.calls for row in rows if row.calls
                )  # not to a row that is there
                db.executemany(_END, ((row.unanswered, row.bytes, *row[:6]) for row in rows if not row.calls))
                if begun is not None:
                    db.execute("INSERT OR REPLACE INTO runs VALUES (?, ?)", (begun, now))
                gone = db.execute(_PRUNE, (oldest, _PRUNED * added if rows else 1)).fetchall()
                if gone:
                    _forget_runs(db, max(day for (day,) in gone))
        except sqlite3.Error:
            return False
        return True

    def bound(self, days: int) -> None:
        """Keep to :data:`MAX_ROWS`, giving up whole days, and to :data:`MAX_RUNS`; with ``days`` 0, to nothing."""
        with contextlib.suppress(sqlite3.Error), self.database.transaction() as db:
            newest = "SELECT begun FROM runs ORDER BY begun DESC LIMIT ?"
            db.execute(f"DELETE FROM runs WHERE begun NOT IN ({newest})", (MAX_RUNS,))  # noqa: S608
            if not days:
                db.execute("DELETE FROM usage")
                db.execute("DELETE FROM runs")
            while db.execute("SELECT count(*) FROM usage").fetchone()[0] > MAX_ROWS:
                (day,) = db.execute("SELECT min(day) FROM usage").fetchone()
                db.execute("DELETE FROM usage WHERE day = ?", (day,))
                _forget_runs(db, day)

    def close(self) -> None:
        """Fold the log into the file."""
        self.database.close()


def _forget_runs(db: sqlite3.Connection, day: int) -> None:
    """Those up to ``day``, of which calls have been given up: they are no evidence that nobody called."""
    db.execute("DELETE FROM runs WHERE ended < ?", ((day + 1) * DAY,))
