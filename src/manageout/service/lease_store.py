"""Leases and their audit log on disk: SQLite in WAL mode, synced at every commit, so that SIGKILL loses nothing.

The audit log is append-only: triggers refuse to change a row, or to delete one before its time. A period in which
somebody held an address is a row ``held``, and later a row ``ended`` that names the first by its number; both go
when it ended long enough ago, or when there are too many. A file that cannot be read is set aside, never deleted.
"""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from manageout.errors import ManageoutError
from manageout.protocol.leases import Lease, State
from manageout.service.files import set_aside
from manageout.service.lease_file import FILE
from manageout.words import said

DAY = 86400.0
MAX_PERIODS = 1_000_000
"""That have ended and are in the log; with their index about 400 MB."""
_PRUNED = 2
"""Old periods that make way for a new entry: a wrong clock must not cost the whole log at once."""
LOST = "unknown: the gateway ended without notice, at this time or earlier"

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS leases (
  v4 BLOB PRIMARY KEY, identity TEXT NOT NULL, state TEXT NOT NULL, since REAL NOT NULL, v6 BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit (
  id INTEGER PRIMARY KEY, period INTEGER NOT NULL, event TEXT NOT NULL CHECK (event IN ('held', 'ended')),
  at REAL NOT NULL, v4 BLOB NOT NULL, identity TEXT NOT NULL, v6 BLOB NOT NULL, transport TEXT NOT NULL,
  peer TEXT NOT NULL, reason TEXT NOT NULL, UNIQUE (period, event)
) STRICT;
CREATE TABLE IF NOT EXISTS running (period INTEGER PRIMARY KEY) STRICT;
CREATE TRIGGER IF NOT EXISTS audit_is_not_changed BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE INDEX IF NOT EXISTS audit_by_end ON audit (at) WHERE event = 'ended';
CREATE TABLE IF NOT EXISTS expired (period INTEGER PRIMARY KEY) STRICT;
DROP TRIGGER IF EXISTS audit_is_not_shortened;
CREATE TRIGGER IF NOT EXISTS audit_keeps_its_time BEFORE DELETE ON audit
  WHEN OLD.period NOT IN (SELECT period FROM expired)
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
"""
_EXPIRE = """
INSERT INTO expired SELECT period FROM audit WHERE event = 'ended' AND at < ? ORDER BY at LIMIT ?
"""
_OPEN = """
SELECT period, v4, identity, v6, transport, peer FROM audit
WHERE event = 'held' AND period IN (SELECT period FROM running)
"""
_WRITE = "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?)"
# A commit that the disk reported as failed may have succeeded all the same, and is tried again.
_AUDIT = "INSERT INTO audit VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (period, event) DO NOTHING"


class AuditRow(NamedTuple):
    """One entry of the log."""

    period: int
    """What ``held`` and ``ended`` of the same period have in common."""
    event: str
    """``held`` or ``ended``."""
    at: float
    v4: bytes
    identity: str
    v6: bytes
    transport: str
    peer: str
    reason: str
    """Of ``ended``."""


class StoredLease(NamedTuple):
    """A copy of a :class:`Lease` that another thread may read."""

    v4: bytes
    identity: str
    state: str
    since: float
    v6: bytes

    @classmethod
    def of(cls, lease: Lease) -> StoredLease:
        """As it is now."""
        return cls(lease.v4, lease.identity, lease.state.value, lease.since, lease.v6)


Changes = Mapping[bytes, StoredLease | None]
"""By address; None: nothing is known of it any more."""


class LeaseStore:
    """The file ``leases.db`` in ``directory``. Raises :class:`ManageoutError` when it cannot be made."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE
        self.set_aside: Path | None = None
        """An unreadable file that was found, under its new name."""
        self.keep = math.inf
        """Seconds that an audit entry is kept after its period's end."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            try:
                self._db = self._open()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                self.set_aside = set_aside(self.path)
                log.error("%s is not a database any more: set aside as %s", self.path, self.set_aside.name)
                self._db = self._open()
            self._ended = self._past()
        except (OSError, sqlite3.Error) as error:
            raise ManageoutError(
                f"cannot keep the leases in {self.path}: {said(error)}",
                "set daemon.state_dir to a directory that can be written",
            ) from None

    def _open(self) -> sqlite3.Connection:
        # The connection moves between the event loop (load, close) and one worker at a time (commit).
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=2.0)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.executescript(_SCHEMA)
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _past(self) -> int:
        """Periods in the log that have ended."""
        (count,) = self._db.execute("SELECT count(*) FROM audit WHERE event = 'ended'").fetchone()
        return int(count)

    def load(self) -> list[Lease]:
        """Every stored lease."""
        rows = self._db.execute("SELECT v4, identity, state, since, v6 FROM leases")
        return [Lease(v4, identity, State(state), since, v6) for v4, identity, state, since, v6 in rows]

    def next_period(self) -> int:
        """A number that no period in the log has, nor any above it."""
        (last,) = self._db.execute("SELECT max(period) FROM audit").fetchone()
        return int(last or 0) + 1

    def end_open_periods(self, now: float) -> None:
        """What a killed gateway has left open ends, with an honest reason. Raises :class:`sqlite3.Error`."""
        rows = [
            AuditRow(period, "ended", now, v4, identity, v6, transport, peer, LOST)
            for period, v4, identity, v6, transport, peer in self._db.execute(_OPEN)
        ]
        if rows:
            self.commit({}, rows)

    def commit(self, changes: Changes, audit: Sequence[AuditRow]) -> None:
        """Store in one transaction; when it returns, it is on the disk. Raises :class:`sqlite3.Error`."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            gone = ((v4,) for v4, lease in changes.items() if lease is None)
            self._db.executemany("DELETE FROM leases WHERE v4 = ?", gone)
            self._db.executemany(_WRITE, (lease for lease in changes.values() if lease is not None))
            self._db.executemany(_AUDIT, audit)
            begun = ((row.period,) for row in audit if row.event == "held")
            self._db.executemany("INSERT OR IGNORE INTO running VALUES (?)", begun)
            ended = ((row.period,) for row in audit if row.event == "ended")
            self._db.executemany("DELETE FROM running WHERE period = ?", ended)
            expired = self._expire(audit)
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._ended += sum(row.event == "ended" for row in audit) - expired

    def _expire(self, audit: Sequence[AuditRow]) -> int:
        """Take old periods out of the log, a few for each entry that comes; how many."""
        if not audit:
            return 0
        before = math.inf if self._ended >= MAX_PERIODS else audit[-1].at - self.keep
        expired = self._db.execute(_EXPIRE, (before, _PRUNED * len(audit))).rowcount
        if expired:
            self._db.execute("DELETE FROM audit WHERE period IN (SELECT period FROM expired)")
            self._db.execute("DELETE FROM expired")
        return expired

    def close(self) -> None:
        """Fold the log into the file."""
        self._db.close()
