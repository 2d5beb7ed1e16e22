"""``manageout hosts``, ``clients``, ``sessions`` and ``drops``: the daemon's rows as tables."""

from ipaddress import IPv4Address

import click

from manageout.cli.show.options import wide_option
from manageout.cli.show.output import ago, moment, reading, traffic
from manageout.cli.show.table import Column, table
from manageout.service.process.rows import ClientRow, DropRow, HostRow, SessionRow

HOSTS: tuple[Column[HostRow], ...] = (
    Column("IPV4", lambda host: host["ipv4"]),
    Column("IPV6", lambda host: host["ipv6"], spare=2),
    Column("NAME", lambda host: host["name"]),
    Column("FIRST SEEN", lambda host: moment(host["first_seen"]), spare=1),
    Column("LAST RS", lambda host: ago(host["last_rs"]), right=True, spare=3),
    Column("LAST PACKET", lambda host: ago(host["last_packet"]), right=True),
    Column("FROM IT", lambda host: traffic(host["rx_packets"], host["rx_bytes"]), right=True),
    Column("TO IT", lambda host: traffic(host["tx_packets"], host["tx_bytes"]), right=True),
)


def render_hosts(hosts: list[HostRow], wide: bool = False) -> str:
    """ISATAP hosts that were seen: who they are, when, and how much they sent and received."""
    if not hosts:
        return "No ISATAP host has been seen yet."
    return table(HOSTS, sorted(hosts, key=lambda host: IPv4Address(host["ipv4"])), wide=wide)


hosts = click.command("hosts")(reading(render_hosts, "hosts", wide_option))


def _addresses(client: ClientRow) -> list[str]:
    """The one to call first: nobody behind the gateway can use the link-local one."""
    return sorted(client["addresses"], key=lambda address: address.lower().startswith("fe80:"))


CLIENTS: tuple[Column[ClientRow], ...] = (
    Column("NAME", lambda client: client["name"]),
    Column("ADDRESS", _addresses),
    Column("FROM", lambda client: client["peer"], spare=3),
    Column("SINCE", lambda client: ago(client["since"]), right=True),
    Column("LAST SEEN", lambda client: ago(client["last_seen"]), right=True, spare=2),
    Column("FRAMING", lambda client: client["framing"], spare=1),
    Column("FROM IT", lambda client: traffic(client["rx_packets"], client["rx_bytes"]), right=True),
    Column("TO IT", lambda client: traffic(client["tx_packets"], client["tx_bytes"]), right=True),
)


def render_clients(clients: list[ClientRow], wide: bool = False) -> str:
    """Remote clients that are connected: certificate name, addresses, where from, since when, traffic."""
    return table(CLIENTS, clients, wide=wide) if clients else "No client is connected."


clients = click.command("clients")(reading(render_clients, "clients", wide_option))


SESSIONS: tuple[Column[SessionRow], ...] = (
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


def render_sessions(sessions: list[SessionRow], wide: bool = False) -> str:
    """Who is connected to whom: client, the other end, who began, on what port, since when, bytes each way."""
    if not sessions:
        return "Nobody is connected to anybody."
    ordered = sorted(sessions, key=lambda row: (row["client"], -(row["since"] or 0)))
    return table(SESSIONS, ordered, wide=wide)


sessions = click.command("sessions")(reading(render_sessions, "sessions", wide_option))


DROPS: tuple[Column[DropRow], ...] = (
    Column("COUNT", lambda row: str(row["count"]), right=True),
    Column("REASON", lambda row: row["reason"]),
    Column("FROM", lambda row: " ".join(filter(None, (row["source"], row.get("certificate"))))),
    Column("TO", lambda row: " ".join(filter(None, (row.get("to"), row.get("service"))))),
    Column("LAST", lambda row: ago(row.get("last")), right=True),
    Column("MEANING", lambda row: row.get("meaning"), fold=True),
)


def render_drops(drops: list[DropRow], wide: bool = False) -> str:
    """Packets that were refused: the reason, what it means, from whom, how many, when last.

    A refused certificate is shown by its name and serial number, as it calls itself. Where the policy refuses,
    TO says which client, and which service of it.
    """
    return table(DROPS, drops, wide=wide) if drops else "Nothing has been dropped."


drops = click.command("drops")(reading(render_drops, "drops", wide_option))
