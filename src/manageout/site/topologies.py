"""What works in front of which kind of farm, and the DNS records as commands. Pure, from the plan."""

from __future__ import annotations

from ipaddress import IPv4Address

from manageout.site.plan import Plan
from manageout.site.tables.site import IsatapTable, Site

Lines = list[tuple[str, str]]


def topologies(site: Site, plan: Plan) -> Lines:
    """What this file is, and what works with one server, NLB, an external load balancer and several sites."""
    isatap = site.isatap
    if isatap is None and not (site.gateway and site.gateway.isatap_router):
        return []
    lines = [("this file", _own(site, plan))]
    lines += _shared(isatap) if isatap else []
    return [
        *lines,
        ("one server", "works: the ISATAP router on it, or apart with one route"),
        ("NLB", "works with a router apart, and a route for each node"),
        ("", "ISATAP on the servers: unsupported, needs an A record for each server and the virtual address"),
        ("external load balancer", "works only with a router apart, and a route for each node"),
        ("several sites", "work only with a router apart, and a route for each node of each site"),
        ("each route", "leads a node's own /64 to that node's own address, never to a virtual one:"),
        ("", "a client's tunnel ends on one node, and packets to it that reach another node are lost"),
        (
            "A records",
            "of the ISATAP routers only; servers keep no ISATAP of their own beside a router apart",
        ),
    ]


def name_commands(site: Site) -> Lines:
    """The router's name as commands for DNS servers, with the inverse."""
    isatap = site.isatap
    if isatap is None or "." not in isatap.name:
        return []
    inside = bool(site.site.domain) and isatap.name.endswith(f".{site.site.domain}")
    zone = site.site.domain if inside else isatap.name.partition(".")[2]
    label = isatap.name.removesuffix(f".{zone}")
    addresses: tuple[IPv4Address, ...] = (*isatap.locators, *isatap.routers)
    lines: Lines = []
    if site.names is not None:
        lines += [("Manageout", "manageout rollout dns"), ("  undo", "manageout rollout dns --undo")]
    windows = f"-ZoneName {zone} -Name {label}"
    lines += [
        ("Windows", f"Add-DnsServerResourceRecordA {windows} -IPv4Address {address}") for address in addresses
    ]
    lines += [
        ("  undo", f"Remove-DnsServerResourceRecord {windows} -RRType A -RecordData {address} -Force")
        for address in addresses
    ]
    lines += [("nsupdate", f"update add {isatap.name}. 60 A {address}") for address in addresses]
    lines += [("  undo", f"update delete {isatap.name}. A {address}") for address in addresses]
    return lines


def _own(site: Site, plan: Plan) -> str:
    if site.isatap is None:
        return f"a gateway (clients {plan.client_prefix}) behind an ISATAP router apart"
    routes = len(site.isatap.routes)
    others = f"{routes} route{'s' if routes != 1 else ''} to other nodes"
    if site.gateway is not None:
        return f"ISATAP router and gateway in one, with {others}" if routes else "one server with both roles"
    if not routes:
        return "an ISATAP router without a way to any client: add [[isatap.routes]]"
    return f"an ISATAP router apart, with {others}"


def _shared(isatap: IsatapTable) -> Lines:
    """What a route to one machine cannot do if it stands for several."""
    return [
        ("to be sure of", f"{route.prefix} is more than one node's: right only if {route.via} passes it on")
        for route in isatap.routes
        if route.prefix.prefixlen < 64
    ]
