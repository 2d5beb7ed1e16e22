"""The lab as a picture of plain text, with the addresses in use."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from itertools import zip_longest

from manageout.lab.topology import APP, CLIENT_PREFIX, GATEWAY_NAME, ISATAP_PREFIX, LEASES, Topology


def picture(topology: Topology, *, ad: bool = False) -> str:
    """Segments and nodes; with ``ad`` dc is an Active Directory domain controller."""
    return "\n".join(_nodes(external=topology.router != "gateway", dc="AD, DNS" if ad else "DNS"))


def _nodes(*, external: bool, dc: str) -> list[str]:
    intranet = [f".10 dc ({dc})", ".20 app (IPv4-only web)", ".128/26 leases of clients"]
    if external:
        intranet.insert(0, ".2 isatap (ISATAP router)")
    branch = [".30 helpdesk (allowed)", ".40 kiosk (not allowed)"]
    lines = [
        "      home              internet                    intranet                branch",
        " 192.168.1.0/24      198.51.100.0/24              10.0.0.0/24             10.0.1.0/24",
        "┌────────┐     ┌──────┐         ┌─────────┐                     ┌──────┐",
        "│ laptop ├──┬──┤ home ├─────────┤ gateway ├────┬────────────────┤ core ├─────┐",
        "└────────┘.2│.1└──────┘.20   .10└─────────┘.1  │            .254└──────┘.1   │",
        " tablet .3 ─┘     NAT                          │                             │",
    ]
    for left, right in zip_longest(_plugs(intranet), _plugs(branch), fillvalue=""):
        lines.append(f"{'':47}{left:30}{right}".rstrip())
    return lines


def _plugs(nodes: list[str]) -> list[str]:
    return [*(f"├─ {node}" for node in nodes[:-1]), f"└─ {nodes[-1]}"]


def links(
    topology: Topology,
    laptop: IPv6Address | None,
    helpdesk: IPv6Address | None,
    lease: IPv4Address | None = None,
) -> str:
    """Who speaks to the laptop, by which addresses and over what; ``lease`` is its IPv4 address inside."""
    router = f"{topology.router} {topology.router_locator}"
    lines = [
        f"  laptop    {laptop or '(not connected)'}",
        f"    ║ IP-HTTPS: TLS to {GATEWAY_NAME}, through the NAT   [{CLIENT_PREFIX}]",
        f"  gateway   {CLIENT_PREFIX[1]}",
    ]
    if topology.router_link:
        lines += ["    │ IPv6 route over the intranet", f"  isatap    {topology.router_link}"]
    lines += [
        f"    ║ ISATAP: protocol 41 to {router}, over routed IPv4   [{ISATAP_PREFIX}]",
        f"  helpdesk  {helpdesk or '(not joined)'}",
    ]
    if lease:
        lines += [
            f"  laptop    {lease} inside, its lease",
            f"    │ plain IPv4, which the gateway translates   [{LEASES}]",
            f"  app       {APP}",
        ]
    return "\n".join(lines)
