"""``manageout clients``."""

from __future__ import annotations

import click

from manageout.cli.show.options import wide_option
from manageout.cli.show.output import ago, reading, traffic
from manageout.cli.show.table import Column, table
from manageout.service.process.rows import ClientRow


def _addresses(client: ClientRow) -> list[str]:
    """The one to call first: nobody behind the gateway can use the link-local one."""
    return sorted(client["addresses"], key=lambda address: address.lower().startswith("fe80:"))


COLUMNS: tuple[Column[ClientRow], ...] = (
    Column("NAME", lambda client: client["name"]),
    Column("ADDRESS", _addresses),
    Column("FROM", lambda client: client["peer"], spare=3),
    Column("SINCE", lambda client: ago(client["since"]), right=True),
    Column("LAST SEEN", lambda client: ago(client["last_seen"]), right=True, spare=2),
    Column("FRAMING", lambda client: client["framing"], spare=1),
    Column("FROM IT", lambda client: traffic(client["rx_packets"], client["rx_bytes"]), right=True),
    Column("TO IT", lambda client: traffic(client["tx_packets"], client["tx_bytes"]), right=True),
)


def render(clients: list[ClientRow], wide: bool = False) -> str:
    """Remote clients that are connected: certificate name, addresses, where from, since when, traffic."""
    return table(COLUMNS, clients, wide=wide) if clients else "No client is connected."


clients = click.command("clients")(reading(render, "clients", wide_option))
