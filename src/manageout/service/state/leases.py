"""Leases and their audit log on disk: SQLite in WAL mode, synced at every commit, so that SIGKILL loses nothing.

The audit log is append-only: triggers refuse to change a row, or to delete one before its time. A period in which
somebody held an address is a row ``held``, and later a row ``ended`` that names the first by its number; both go
when it ended long enough ago. When there are too many, the oldest go of whoever has the most: who connects again and
again rotates out what is known of itself, and of nobody else.
"""

import math
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, NamedTuple, Self

from manageout.errors import ManageoutError
from manageout.protocol.leases.leases import Lease, State
from manageout.service.process.rows import LeasePeriod, LeaseRow
from manageout.service.state.database import Database, Schema, sound, statements, stored

FILE = "leases.db"
DAY = 86400.0
MAX_PERIODS = 1_000_000
"""That have ended and are in the log; with their index about 400 MB."""
_PRUNED = 2
"""Old periods that make way for a new entry: a wrong clock must not cost the whole log at once."""
LOST = "unknown: the gateway ended without notice, at this time or earlier"

_SQL = statements("leases.sql")
SCHEMA = Schema("the leases", (_SQL["step 1"], _SQL["step 2"]), ("synchronous = FULL",))
_STATES = frozenset(State)
_NUMBER = (int, float)
_KINDS = (bytes, str, str, _NUMBER, bytes)


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
    def of(cls, lease: Lease) -> Self:
        """As it is now."""
        return cls(lease.v4, lease.identity, lease.state.value, lease.since, lease.v6)


Changes = Mapping[bytes, StoredLease | None]
"""By address; None: nothing is known of it any more."""


class LeaseStore(Database):
    """The file ``leases.db`` in ``directory``."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory / FILE, SCHEMA)
        self.keep = math.inf
        """Seconds that an audit entry is kept after its period's end."""
        self.crowded_by = ""
        """Who has the most periods in a log that is full; or nothing: it is not."""
        self._ended: Counter[str] = Counter(dict(self.rows(_SQL["ended by identity"])))
        """Periods in the log that have ended, by identity."""

    def lost_at(self, now: float) -> float | None:
        """When leases were lost with a damaged file, or are not known now because of a newer one."""
        lost = self.beside or self.aside is not None
        if lost:
            with suppress(sqlite3.Error), self.transaction() as db:
                db.execute("INSERT OR REPLACE INTO notes VALUES ('lost', ?)", (now,))
        noted = self.rows("SELECT at FROM notes WHERE name = 'lost'")
        return now if lost else max((float(row[0]) for row in noted if sound(row, _NUMBER)), default=None)

    def load(self) -> list[Lease]:
        """Every stored lease; of a damaged file, those that make sense."""
        rows = self.rows("SELECT v4, identity, state, since, v6 FROM leases")
        return [
            Lease(v4, identity, State(state), since, v6)
            for v4, identity, state, since, v6 in (row for row in rows if sound(row, *_KINDS))
            if len(v4) == 4 and state in _STATES and len(v6) in (0, 16)
        ]

    def next_period(self) -> int:
        """A number that no period in the log has, nor any above it."""
        query = "SELECT max(period) FROM audit WHERE typeof(period) = 'integer'"
        return 1 + max((int(last or 0) for (last,) in self.rows(query)), default=0)

    def open_periods(self, now: float) -> list[AuditRow]:
        """The ends, with an honest reason, of what a killed gateway has left open: to be committed."""
        return [
            AuditRow(period, "ended", now, v4, identity, v6, transport, peer, LOST)
            for period, v4, identity, v6, transport, peer in self.rows(_SQL["open periods"])
            if sound((period, v4, identity, v6, transport, peer), int, bytes, str, bytes, str, str)
        ]

    def commit(self, changes: Changes, audit: Sequence[AuditRow]) -> None:
        """Store in one transaction; when it returns, it is on the disk. Raises :class:`sqlite3.Error`."""
        with self.transaction() as db:
            gone = ((v4,) for v4, lease in changes.items() if lease is None)
            db.executemany("DELETE FROM leases WHERE v4 = ?", gone)
            db.executemany(_SQL["write"], (lease for lease in changes.values() if lease is not None))
            db.executemany(_SQL["log"], audit)
            begun = ((row.period,) for row in audit if row.event == "held")
            db.executemany("INSERT OR IGNORE INTO running VALUES (?)", begun)
            ended = ((row.period,) for row in audit if row.event == "ended")
            db.executemany("DELETE FROM running WHERE period = ?", ended)
            expired = self._expire(db, audit)
        self._ended.update(row.identity for row in audit if row.event == "ended")
        for identity, count in expired.items():
            self._ended[identity] -= count
            if self._ended[identity] <= 0:
                del self._ended[identity]

    def _expire(self, db: sqlite3.Connection, audit: Sequence[AuditRow]) -> Counter[str]:
        """Take old periods out of the log, a few for each entry that comes; how many, by identity."""
        if not audit:
            return Counter()
        many = _PRUNED * len(audit)
        if self._ended.total() < MAX_PERIODS * 0.9:
            self.crowded_by = ""
        if self._ended.total() < MAX_PERIODS:
            db.execute(_SQL["expire"], (audit[-1].at - self.keep, many))
        else:
            self.crowded_by = max(self._ended, key=self._ended.__getitem__)
            db.execute(_SQL["expire of identity"], (self.crowded_by, many))
        gone = Counter(
            identity for event, identity in db.execute(_SQL["take expired"]).fetchall() if event == "ended"
        )
        if gone:
            db.execute("DELETE FROM expired")
        return gone


# --- Read by commands, daemon or no daemon --------------------------------------------------------------


def stored_leases(directory: Path) -> Iterator[LeaseRow]:
    """What was stored last, in the form of the daemon's answer. Raises :class:`ManageoutError`."""
    for v4, identity, state, since, v6 in _rows(directory, _SQL["stored"]):
        yield {
            "name": identity,
            "ipv4": str(IPv4Address(v4)),
            "state": state,
            "address": _text(v6),
            "others": [],
            "since": since,
            "until": None,
            "peer": None,
            "transport": None,
            "fixed": False,
        }


def stored_periods(directory: Path, limit: int = -1) -> Iterator[LeasePeriod]:
    """Who held what from when to when, the latest first. ``until`` None: still. Raises :class:`ManageoutError`."""
    for v4, identity, v6, transport, peer, since, until, reason in _rows(directory, _SQL["periods"], limit):
        yield {
            "name": identity,
            "ipv4": str(IPv4Address(v4)),
            "address": _text(v6),
            "since": since,
            "until": until,
            "transport": transport,
            "peer": peer,
            "ended": reason,
        }


def _text(v6: bytes) -> str | None:
    return str(IPv6Address(v6)) if v6 else None


def _rows(directory: Path, query: str, *values: int) -> Iterator[Any]:
    hint = "--state-dir is daemon.state_dir of the file"
    absent = ManageoutError(f"there is no {directory / FILE}: no lease was ever given", hint)
    return stored(directory / FILE, query, *values, absent=absent)
