"""What router and host show of their link: rows of drops, slow and fast path together."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

from manageout.linux.bpf.isatap import IsatapFastPath
from manageout.protocol.core.drop_table import DropTable
from manageout.protocol.core.drops import Drop


def drop_rows(table: DropTable, fast: IsatapFastPath | None, wall_offset: float) -> list[dict[str, Any]]:
    """Refused packets by reason and source. ``wall_offset``: what makes Unix seconds of monotonic ones."""
    rows: dict[tuple[Drop, bytes], dict[str, Any]] = {
        (row.reason, row.source): {"count": row.times, "last": row.last + wall_offset}
        for row in table.by_source()
    }
    for reason, source, times in fast.drops() if fast else ():
        row = rows.setdefault((reason, source), {"count": 0, "last": None})
        row["count"] += times
    return [
        {"reason": reason.label, "source": _text(source), **row} for (reason, source), row in rows.items()
    ]


def drop_totals(table: DropTable, fast: IsatapFastPath | None) -> dict[str, int]:
    """Exact totals by reason."""
    totals = {reason.label: count for reason, count in table.totals.items()}
    for reason, count in fast.totals().items() if fast else ():
        totals[reason.label] = totals.get(reason.label, 0) + count
    return totals


def keep_drops(table: DropTable, fast: IsatapFastPath, now: float) -> None:
    """The fast path ends: what it has counted stays."""
    totals = {reason: table.totals.get(reason, 0) + count for reason, count in fast.totals().items()}
    for reason, source, times in fast.drops():
        table.count(reason, source, now, times)
    table.totals.update(totals)


def _text(v4: bytes) -> str:
    return str(IPv4Address(v4)) if v4 else ""
