"""The lab as a picture of plain text, with the addresses in use."""

from ipaddress import IPv4Address, IPv6Address

from manageout.lab.topology import CLIENT_PREFIX, Topology, filled, parts


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
    values = {
        "laptop": laptop or "(not connected)",
        "gateway": CLIENT_PREFIX[1],
        "router": topology.router,
        "locator": topology.router_locator,
        "router_link": topology.router_link,
        "helpdesk": helpdesk or "(not joined)",
        "lease": lease,
    }
    facts = ["apart"] * (topology.router_link is not None) + ["leased"] * (lease is not None)
    return parts("links", facts, **values).rstrip()
