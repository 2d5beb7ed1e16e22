"""The registry of ISATAP hosts read from outside: by commands, daemon or no daemon; and from other routers' answers."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, cast

from manageout.errors import ManageoutError, NotPermitted
from manageout.protocol.isatap.registry import HostRecord
from manageout.service.process.rows import HostRow
from manageout.service.state.hosts import FILE

MAX_BYTES = 256 << 20
_TIMES = ("first_seen", "last_rs", "last_packet")
_COUNTS = ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes")


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


def stored(directory: Path, prefix: bytes) -> Iterator[HostRow]:
    """What the router in this machine has stored, as `manageout hosts --json` tells it; nothing without a file.

    ``prefix``: 8 bytes. Raises :class:`ManageoutError`.
    """
    path = directory / FILE
    try:
        if not path.exists():
            return
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
            yield from (
                host_row(HostRecord._make(row), prefix, False) for row in db.execute("SELECT * FROM hosts")
            )
    except PermissionError:
        raise NotPermitted(f"not permitted to read {path}", "run as root") from None
    except sqlite3.Error as error:
        raise ManageoutError(f"{path} cannot be read: {error}", "run as root") from None


def saved(path: Path) -> list[HostRow]:
    """What `manageout hosts --json` printed on another router. Raises :class:`ManageoutError`."""
    hint = "save there: manageout hosts --json > FILE"
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ManageoutError(f"{path}: {error.strerror}", hint) from None
    if len(data) > MAX_BYTES:
        raise ManageoutError(f"{path} has more than {MAX_BYTES >> 20} MB", hint)
    try:
        rows = json.loads(data)
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
