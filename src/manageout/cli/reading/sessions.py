"""``manageout sessions``."""

from __future__ import annotations

import click

from manageout.cli.show.fitted import fitted, reading_table
from manageout.cli.show.output import ago, traffic
from manageout.service.process.rows import SessionRow


def render(sessions: list[SessionRow], wide: bool = False) -> str:
    """Who is connected to whom: client, the other end, who began, on what port, since when, bytes each way."""
    if not sessions:
        return "Nobody is connected to anybody."
    headings = ("CLIENT", "", "OTHER END", "SERVICE", "STATE", "SINCE", "FROM CLIENT", "TO CLIENT", "THROUGH")
    rows = [
        (
            row.get("client") or row["client_address"],
            "<-" if row["begun_by"] == "manager" else "->",
            f"{row['peer_name']} ({row['peer']})" if row.get("peer_name") else row["peer"],
            f"{row['protocol']}/{row['port']}" if row.get("port") else row["protocol"],
            row.get("state") or "-",
            ago(row.get("since")),
            traffic(row["rx_packets"], row["rx_bytes"]),
            traffic(row["tx_packets"], row["tx_bytes"]),
            row.get("through") or "-",
        )
        for row in sorted(sessions, key=lambda row: (row.get("client") or "", -(row.get("since") or 0)))
    ]
    return fitted(
        headings,
        rows,
        right=(5, 6, 7),
        spare=("STATE", "THROUGH", "TO CLIENT", "FROM CLIENT"),
        wide=wide,
    )


sessions = click.command("sessions")(reading_table(render, "sessions"))
