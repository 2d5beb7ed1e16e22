"""The registry on disk: SQLite in WAL mode, so that neither a restart nor SIGKILL loses more than a second.

Every write happens in one worker thread. A file that cannot be read is set aside, never deleted, and a disk that
is full costs persistence only: the router goes on.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, cast

from manageout.errors import ManageoutError
from manageout.protocol.isatap.registry import HostRecord
from manageout.service.process.files import read_bounded
from manageout.service.process.rows import HostRow
from manageout.service.state.database import Database, Schema, sound, statements, stored

FILE = "isatap-hosts.db"
MAX_BYTES = 256 << 20
"""Of another router's answer."""
_TIMES = ("first_seen", "last_rs", "last_packet")
_COUNTS = ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes")

_SQL = statements("hosts.sql")
_PRAGMAS = ("synchronous = NORMAL", "cache_size = -256")  # KiB: it is written, hardly read
SCHEMA = Schema("the ISATAP hosts", (_SQL["step 1"],), _PRAGMAS)
_KINDS = (bytes, *[int] * 8, str, int)


class RegistryStore(Database):
    """The file ``isatap-hosts.db`` in ``directory``."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory / FILE, SCHEMA)

    def load(self) -> list[HostRecord]:
        """Every stored host; of a damaged file, those that make sense."""
        rows = self.rows("SELECT * FROM hosts")
        return [HostRecord._make(row) for row in rows if sound(row, *_KINDS) and _fits(HostRecord._make(row))]

    def write(self, changed: Sequence[HostRecord], removed: Sequence[bytes]) -> bool:
        """Store in one transaction. False when that failed."""
        try:
            with self.transaction() as db:
                db.executemany("DELETE FROM hosts WHERE v4 = ?", ((v4,) for v4 in removed))
                db.executemany(_SQL["write"], changed)
        except sqlite3.Error:
            return False
        return True


def _fits(row: HostRecord) -> bool:
    """Whether the registry has room for such numbers."""
    times = (row.first_seen, row.last_rs, row.last_packet, row.name_checked)
    room = all(0 <= moment < 1 << 32 for moment in times) and min(row[5:9]) >= 0
    return len(row.v4) == 4 and 0 <= row.flags < 1 << 8 and room


# --- Read by commands, and told by other routers --------------------------------------------------------


def host_row(record: HostRecord, prefix: bytes, retires: bool) -> HostRow:
    """One host of the registry. ``prefix``: 8 bytes; ``retires``: it is told to let go. Times: Unix seconds."""
    return {
        "ipv4": str(IPv4Address(record.v4)),
        "ipv6": str(IPv6Address(prefix + record.interface_id())),
        "name": record.name,
        "first_seen": record.first_seen,
        "last_rs": record.last_rs,
        "last_packet": record.last_packet,
        "rx_packets": record.packets_in,
        "rx_bytes": record.bytes_in,
        "tx_packets": record.packets_out,
        "tx_bytes": record.bytes_out,
        "retires": retires,
    }


def stored_hosts(directory: Path, prefix: bytes) -> Iterator[HostRow]:
    """What the router in this machine has stored, as `manageout hosts --json` tells it; nothing without a file.

    ``prefix``: 8 bytes. Raises :class:`ManageoutError`.
    """
    rows = stored(directory / FILE, "SELECT * FROM hosts")
    return (host_row(HostRecord._make(row), prefix, False) for row in rows)


def saved_hosts(path: Path) -> list[HostRow]:
    """What `manageout hosts --json` printed on another router. Raises :class:`ManageoutError`."""
    hint = "save there: manageout hosts --json > FILE"
    try:
        rows = json.loads(read_bounded(path, MAX_BYTES, hint))
    except (ValueError, RecursionError):
        raise ManageoutError(f"{path} is not JSON", hint) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "ipv4" in row for row in rows):
        raise ManageoutError(f"{path} does not list ISATAP hosts", hint)
    return [_typed(path, row) for row in rows]


def _typed(path: Path, row: Mapping[str, Any]) -> HostRow:
    texts = {name: row.get(name) or "" for name in ("ipv4", "ipv6", "name")}
    numbers = {name: row.get(name) or 0 for name in (*_TIMES, *_COUNTS)}
    well_typed = all(isinstance(text, str) for text in texts.values()) and all(
        isinstance(number, int | float) for number in numbers.values()
    )
    if not well_typed or not _is_v4(texts["ipv4"]):
        raise ManageoutError(
            f"{path}: the host {str(row['ipv4'])[:40]} has values of another kind", "save it again"
        )
    return cast(HostRow, {**texts, **numbers, "retires": row.get("retires") is True})


def _is_v4(text: str) -> bool:
    try:
        return bool(IPv4Address(text))
    except ValueError:
        return False
