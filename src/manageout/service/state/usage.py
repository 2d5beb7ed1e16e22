"""The record of who opens connections to clients, on disk: SQLite in WAL mode, bounded in days and in rows.

One worker thread writes. A file that cannot be read is set aside, never deleted; a full disk costs this record only.
What is old goes a few rows at a time: a clock that is wrong at the start must not cost the whole record at once.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from manageout.errors import ManageoutError
from manageout.service.state.database import Database, Schema, sound, statements, stored

FILE = "usage.db"
DAY = 86400
SAME_RUN = 60.0
"""Seconds: a restart that takes no longer is no gap."""

MAX_ROWS, MAX_RUNS = 200_000, 1000
_PRUNED = 2
"""Old rows that make way for a new one."""

_SQL = statements("usage.sql")
SCHEMA = Schema("the calls of managers", (_SQL["step 1"],), ("synchronous = NORMAL",))
_KEY, _RUN = (str, str, str, str, int), ((int, float), (int, float))


class Usage(NamedTuple):
    """What one manager has opened to one service of one client on one day."""

    day: int
    """Since 1970, in UTC."""
    manager: str
    """IPv4 address, or IPv6 address where it has no other."""
    way: str
    """``ISATAP``, ``NAT46`` (by lease) or ``IPv6``."""
    client: str
    """Name in its certificate, or its address where only that is known; ``*``: more clients than are listed."""
    protocol: str
    port: int
    """0: none, or more than are listed."""
    first: float
    last: float
    """When a connection last began. Unix seconds, as all times here."""
    calls: int
    """Connections that began."""
    unanswered: int
    """Those of them that ended without any answer."""
    bytes: int
    """Both ways, of connections that have ended."""


class Day(NamedTuple):
    """One day, one way."""

    day: int
    way: str
    managers: int
    calls: int
    bytes: int


class UsageStore(Database):
    """The file ``usage.db`` in ``directory``."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory / FILE, SCHEMA)

    def run(self, now: float) -> tuple[float, float]:
        """When the run that goes on at ``now`` began, and up to when connections are recorded (0: never)."""
        found = [row for row in self.rows(_SQL["latest run"], now) if sound(row, *_RUN)]
        begun, ended = found[0] if found else (now, 0.0)
        return (begun if 0 <= now - ended <= SAME_RUN else now), ended

    def keys(self, day: int) -> list[tuple[str, str, str, str, int]]:
        """Manager, way, client, protocol and port of every row of ``day``."""
        query = "SELECT manager, way, client, protocol, port FROM usage WHERE day = ?"
        rows = (row for row in self.rows(query, day) if sound(row, *_KEY))
        return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]

    def write(self, rows: Sequence[Usage], begun: float | None, now: float, oldest: int) -> bool:
        """Add ``rows`` and note that the run that began at ``begun`` goes on; forget a few rows before ``oldest``.

        One transaction; None: nobody watches. False when that failed, which is logged once until it works again.
        """
        try:
            with self.transaction() as db:
                added = sum(
                    db.execute(_SQL["add"], row).fetchone()[0] == row.calls for row in rows if row.calls
                )  # not to a row that is there
                db.executemany(
                    _SQL["end"], ((row.unanswered, row.bytes, *row[:6]) for row in rows if not row.calls)
                )
                if begun is not None:
                    db.execute("INSERT OR REPLACE INTO runs VALUES (?, ?)", (begun, now))
                gone = db.execute(_SQL["prune"], (oldest, _PRUNED * added if rows else 1)).fetchall()
                if gone:
                    _forget_runs(db, max(day for (day,) in gone))
        except sqlite3.Error:
            return False
        return True

    def bound(self, days: int) -> None:
        """Keep to :data:`MAX_ROWS`, giving up whole days, and to :data:`MAX_RUNS`; with ``days`` 0, to nothing."""
        with contextlib.suppress(sqlite3.Error), self.transaction() as db:
            db.execute(_SQL["prune runs"], (MAX_RUNS,))
            if not days:
                db.execute("DELETE FROM usage")
                db.execute("DELETE FROM runs")
            while db.execute("SELECT count(*) FROM usage").fetchone()[0] > MAX_ROWS:
                (day,) = db.execute("SELECT min(day) FROM usage").fetchone()
                db.execute("DELETE FROM usage WHERE day = ?", (day,))
                _forget_runs(db, day)


def _forget_runs(db: sqlite3.Connection, day: int) -> None:
    """Those up to ``day``, of which calls have been given up: they are no evidence that nobody called."""
    db.execute("DELETE FROM runs WHERE ended < ?", ((day + 1) * DAY,))


class UsageFile:
    """The file in ``directory``. Every method raises :class:`ManageoutError`."""

    def __init__(self, directory: Path, name: str = FILE) -> None:
        self.path = directory / name

    def rows(self, since: float = 0.0) -> Iterator[Usage]:
        """Rows with a connection that began at ``since`` or later."""
        return map(Usage._make, self._read(_SQL["rows"], since))

    def days(self) -> list[Day]:
        """For a chart."""
        return list(map(Day._make, self._read(_SQL["days"])))

    def runs(self) -> list[tuple[float, float]]:
        """When connections were watched: from, until."""
        return [(begun, ended) for begun, ended in self._read("SELECT begun, ended FROM runs ORDER BY begun")]

    def watched(self, now: float, since: float = 0.0) -> float:
        """For how many seconds between ``since`` and ``now`` connections were watched, all together.

        By the time that passed: a run ends where somebody sets the clock. What lies in the future is no evidence. Until
        a moment ago counts as until now, because the daemon notes that it goes on only so often.
        """
        runs = [(begun, now if 0 <= now - ended <= SAME_RUN else ended) for begun, ended in self.runs()]
        return sum(max(0.0, min(ended, now) - max(begun, since)) for begun, ended in runs)

    def _read(self, query: str, *values: object) -> Iterator[Any]:
        hint = "run the daemon, with daemon.usage_days above 0; --state-dir is daemon.state_dir of the file"
        absent = ManageoutError(f"there is no {self.path}: nobody has watched who opens connections", hint)
        return stored(self.path, query, *values, absent=absent)
