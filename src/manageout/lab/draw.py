"""The lab as a picture of plain text, with the addresses in use."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from manageout.lab.topology import APP, CLIENT_PREFIX, GATEWAY_NAME, ISATAP_PREFIX, LEASES, Topology, filled


def picture(topology: Topology, *, ad: bool = False) -> str:
    """Segments and nodes; with ``ad`` dc is an Active Directory domain controller."""
    return filled(f"pictures.{topology.name}", dc=f"{'(AD, DNS)' if ad else '(DNS)':20}").rstrip()


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
