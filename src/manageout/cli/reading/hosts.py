"""``manageout hosts``."""

from __future__ import annotations

from ipaddress import IPv4Address

import click

from manageout.cli.show.options import wide_option
from manageout.cli.show.output import ago, moment, reading, traffic
from manageout.cli.show.table import Column, table
from manageout.service.process.rows import HostRow

COLUMNS: tuple[Column[HostRow], ...] = (
    Column("IPV4", lambda host: host["ipv4"]),
    Column("IPV6", lambda host: host["ipv6"], spare=2),
    Column("NAME", lambda host: host["name"]),
    Column("FIRST SEEN", lambda host: moment(host["first_seen"]), spare=1),
    Column("LAST RS", lambda host: ago(host["last_rs"]), right=True, spare=3),
    Column("LAST PACKET", lambda host: ago(host["last_packet"]), right=True),
    Column("FROM IT", lambda host: traffic(host["rx_packets"], host["rx_bytes"]), right=True),
    Column("TO IT", lambda host: traffic(host["tx_packets"], host["tx_bytes"]), right=True),
)


def render(hosts: list[HostRow], wide: bool = False) -> str:
    """ISATAP hosts that were seen: who they are, when, and how much they sent and received."""
    if not hosts:
        return "No ISATAP host has been seen yet."
    return table(COLUMNS, sorted(hosts, key=lambda host: IPv4Address(host["ipv4"])), wide=wide)


hosts = click.command("hosts")(reading(render, "hosts", wide_option))
