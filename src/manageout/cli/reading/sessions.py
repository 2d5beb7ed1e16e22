"""``manageout sessions``."""

from __future__ import annotations

import click

from manageout.cli.show.options import wide_option
from manageout.cli.show.output import ago, reading, traffic
from manageout.cli.show.table import Column, table
from manageout.service.process.rows import SessionRow

COLUMNS: tuple[Column[SessionRow], ...] = (
    Column("CLIENT", lambda row: row["client"] or row["client_address"]),
    Column("", lambda row: "<-" if row["begun_by"] == "manager" else "->"),
    Column(
        "OTHER END", lambda row: f"{row['peer_name']} ({row['peer']})" if row["peer_name"] else row["peer"]
    ),
    Column("SERVICE", lambda row: f"{row['protocol']}/{row['port']}" if row["port"] else row["protocol"]),
    Column("STATE", lambda row: row["state"], spare=1),
    Column("SINCE", lambda row: ago(row["since"]), right=True),
    Column("FROM CLIENT", lambda row: traffic(row["rx_packets"], row["rx_bytes"]), right=True, spare=4),
    Column("TO CLIENT", lambda row: traffic(row["tx_packets"], row["tx_bytes"]), right=True, spare=3),
    Column("THROUGH", lambda row: row["through"], spare=2),
)


def render(sessions: list[SessionRow], wide: bool = False) -> str:
    """Who is connected to whom: client, the other end, who began, on what port, since when, bytes each way."""
    if not sessions:
        return "Nobody is connected to anybody."
    ordered = sorted(sessions, key=lambda row: (row["client"], -(row["since"] or 0)))
    return table(COLUMNS, ordered, wide=wide)


sessions = click.command("sessions")(reading(render, "sessions", wide_option))
