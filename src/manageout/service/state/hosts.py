"""The registry on disk: SQLite in WAL mode, so that neither a restart nor SIGKILL loses more than a second.

Every write happens in one worker thread. A file that cannot be read is set aside, never deleted, and a disk that
is full costs persistence only: the router goes on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from manageout.protocol.isatap.registry import HostRecord
from manageout.service.state.database import Database, Schema, sound

FILE = "isatap-hosts.db"

_FIRST = """
CREATE TABLE IF NOT EXISTS hosts (
  v4 BLOB PRIMARY KEY, flags INTEGER NOT NULL, first_seen INTEGER NOT NULL, last_rs INTEGER NOT NULL,
  last_packet INTEGER NOT NULL, packets_in INTEGER NOT NULL, bytes_in INTEGER NOT NULL,
  packets_out INTEGER NOT NULL, bytes_out INTEGER NOT NULL, name TEXT NOT NULL, name_checked INTEGER NOT NULL
) STRICT, WITHOUT ROWID
"""
_PRAGMAS = ("synchronous = NORMAL", "cache_size = -256")  # KiB: it is written, hardly read
SCHEMA = Schema("the ISATAP hosts", (_FIRST,), _PRAGMAS)
_WRITE = "INSERT OR REPLACE INTO hosts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_KINDS = (bytes, *[int] * 8, str, int)


class RegistryStore:
    """The file ``isatap-hosts.db`` in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.database = Database(directory / FILE, SCHEMA)
        self.path = self.database.path

    def load(self) -> list[HostRecord]:
        """Every stored host; of a damaged file, those that make sense."""
        rows = self.database.rows("SELECT * FROM hosts")
        return [HostRecord._make(row) for row in rows if sound(row, *_KINDS) and _fits(HostRecord._make(row))]

    def write(self, changed: Sequence[HostRecord], removed: Sequence[bytes]) -> bool:
        """Store in one transaction. False when that failed."""
        try:
            with self.database.transaction() as db:
                db.executemany("DELETE FROM hosts WHERE v4 = ?", ((v4,) for v4 in removed))
                db.executemany(_WRITE, changed)
        except sqlite3.Error:
            return False
        return True

    def close(self) -> None:
        """Fold the log into the file."""
        self.database.close()


def _fits(row: HostRecord) -> bool:
    """Whether the registry has room for such numbers."""
    times = (row.first_seen, row.last_rs, row.last_packet, row.name_checked)
    return (
        len(row.v4) == 4
        and 0 <= row.flags < 1 << 8
        and all(0 <= moment < 1 << 32 for moment in times)
        and min(row[5:9]) >= 0
    )
