"""``manageout hosts``."""

from __future__ import annotations

import click

from manageout.cli.show.fitted import fitted, reading_table
from manageout.cli.show.output import ago, moment, traffic
from manageout.service.process.rows import HostRow


def render(hosts: list[HostRow], wide: bool = False) -> str:
    """ISATAP hosts that were seen: who they are, when, and how much they sent and received."""
    if not hosts:
        return "No ISATAP host has been seen yet."
    headings = ("IPV4", "IPV6", "NAME", "FIRST SEEN", "LAST RS", "LAST PACKET", "FROM IT", "TO IT")
    rows = [
        (
            host["ipv4"],
            host.get("ipv6") or "-",
            host.get("name") or "-",
            moment(host.get("first_seen")),
            ago(host.get("last_rs")),
            ago(host.get("last_packet")),
            traffic(host["rx_packets"], host["rx_bytes"]),
            traffic(host["tx_packets"], host["tx_bytes"]),
        )
        for host in sorted(hosts, key=lambda host: [int(part) for part in host["ipv4"].split(".")])
    ]
    return fitted(headings, rows, right=(4, 5, 6, 7), spare=("FIRST SEEN", "IPV6", "LAST RS"), wide=wide)


hosts = click.command("hosts")(reading_table(render, "hosts"))
