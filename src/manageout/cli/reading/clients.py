"""``manageout clients``."""

from __future__ import annotations

import click

from manageout.cli.show.fitted import fitted, reading_table
from manageout.cli.show.output import ago, traffic
from manageout.service.process.rows import ClientRow


def render(clients: list[ClientRow], wide: bool = False) -> str:
    """Remote clients that are connected: certificate name, addresses, where from, since when, traffic."""
    if not clients:
        return "No client is connected."
    headings = ("NAME", "ADDRESS", "FROM", "SINCE", "LAST SEEN", "FRAMING", "FROM IT", "TO IT")
    rows = []
    for client in clients:
        # The one to call first: nobody behind the gateway can use the link-local one.
        addresses = sorted(client.get("addresses", ()), key=_is_link_local) or ["-"]
        rows.append(
            (
                client.get("name") or "-",
                addresses[0],
                client.get("peer") or "-",
                ago(client.get("since")),
                ago(client.get("last_seen")),
                client.get("framing") or "-",
                traffic(client["rx_packets"], client["rx_bytes"]),
                traffic(client["tx_packets"], client["tx_bytes"]),
            )
        )
        rows += [("", address, "", "", "", "", "", "") for address in addresses[1:]]
    return fitted(headings, rows, right=(3, 4, 6, 7), spare=("FRAMING", "LAST SEEN", "FROM"), wide=wide)


def _is_link_local(address: str) -> bool:
    return address.lower().startswith("fe80:")


clients = click.command("clients")(reading_table(render, "clients"))
