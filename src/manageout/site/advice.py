"""What the administrator does elsewhere: routes, DNS names, firewalls, Windows settings. Pure, from the plan."""

from __future__ import annotations

import secrets
from ipaddress import IPv4Address, IPv6Network
from typing import NamedTuple

from manageout.site.plan import IPHTTPS_DEVICE, ISATAP_DEVICE, XLAT_DEVICE, Plan
from manageout.site.tables.site import Site
from manageout.site.topologies import name_commands, topologies
from manageout.wire.address import sixtofour_prefix


class Section(NamedTuple):
    """A heading and its lines: what it is, then the value or the command."""

    title: str
    lines: list[tuple[str, str]]


def new_prefix() -> IPv6Network:
    """A random unique local /48 (RFC 4193 3.2.2)."""
    return IPv6Network((0xFD << 120 | secrets.randbits(40) << 80, 48))


def prefix_of(public: IPv4Address) -> IPv6Network:
    """The 6to4 /48 of a public address, as DirectAccess chooses it."""
    return sixtofour_prefix(public)


def advice(site: Site, plan: Plan) -> list[Section]:
    """Every section that concerns ``site``."""
    sections = [_addresses(site, plan), _routes(site, plan), _leases(site, plan), _names(site, plan)]
    sections.append(Section("The router's name as commands", name_commands(site)))
    sections += [_firewalls(site, plan), _windows(site, plan)]
    sections.append(Section("Farms: what works", topologies(site, plan)))
    return [section for section in sections if section.lines]


def _addresses(site: Site, plan: Plan) -> Section:
    lines = [("site", str(plan.site))]
    if site.isatap:
        lines.append(("ISATAP link", f"{plan.isatap_prefix} on {ISATAP_DEVICE}"))
        pairs = zip(site.isatap.locators, plan.isatap_addresses, plan.isatap_link_locals, strict=True)
        for locator, address, link_local in pairs:
            lines.append((f"router {locator}", f"{address}, {link_local}"))
        advertised = ", ".join(map(str, plan.advertised)) or "nothing"
        lines.append(("told to ISATAP hosts", f"{advertised} through us"))
        lines.append(("default router", "yes" if site.isatap.default_route else "no: only these prefixes"))
    if site.gateway:
        lines.append(("clients of this node", f"{plan.client_prefix} on {IPHTTPS_DEVICE}"))
        lines.append(("clients of all nodes", str(plan.client_aggregate)))
        lines.append(("gateway", f"{plan.gateway_address}, {plan.gateway_link_local}"))
        lines.append(("told to clients", f"{', '.join(map(str, plan.client_routes))} through us"))
    lines.append(("DNS64" if site.dns64 else "kept for DNS64", str(plan.dns64)))
    lines.append(("NAT64" if site.translation else "kept for NAT64", str(plan.nat64)))
    if site.translation and plan.leases:
        lines.append(("leases of this node", f"{plan.leases} of {site.translation.pool}, on {XLAT_DEVICE}"))
    return Section("Addresses and prefixes", lines)


def _routes(site: Site, plan: Plan) -> Section:
    """Routes on other machines; those on this one the daemon makes."""
    lines: list[tuple[str, str]] = []
    if site.isatap:
        for route in site.isatap.routes:
            lines.append(("on this machine", f"{route.prefix} via {route.via} (the daemon adds it)"))
            machine = f"on the gateway {route.via}"
            lines += _commands(machine, plan.isatap_prefix, "THIS-MACHINE")
    if site.gateway and site.gateway.isatap_router:
        router = site.gateway.isatap_router
        lines.append(("on this machine", f"{plan.isatap_prefix} via {router} (the daemon adds it)"))
        lines += _commands(f"on the ISATAP router {router}", plan.client_prefix, "THIS-MACHINE")
    if not lines:
        lines.append(_none(site, plan))
    else:
        lines.append(("THIS-MACHINE", "is an IPv6 address of this machine on the link that both share"))
    return Section("Routes on other machines", lines)


def _none(site: Site, plan: Plan) -> tuple[str, str]:
    """Why no route is asked of anybody."""
    if site.gateway is None:
        return (
            "not known yet",
            "this file names no way to a client: its [[isatap.routes]] say who needs a way back",
        )
    if site.isatap is None:
        return "nowhere", f"unless the intranet has IPv6: then {plan.client_prefix} by this machine"
    return "nowhere", "this machine is router and gateway, and ISATAP crosses IPv4 by itself"


def _commands(machine: str, prefix: IPv6Network, via: str) -> list[tuple[str, str]]:
    return [
        (machine, f"Manageout: a route to {prefix} in its site file"),
        ("  Linux", f"ip -6 route add {prefix} via {via}"),
        ("  Windows", f'netsh interface ipv6 add route {prefix} "INTERFACE" {via}'),
        ("  FRR", f"ipv6 route {prefix} {via}"),
        ("  BIRD", f"protocol static {{ ipv6; route {prefix} via {via}; }}"),
        ("  Cisco", f"ipv6 route {prefix} {via}"),
    ]


def _leases(site: Site, plan: Plan) -> Section:
    """How the intranet finds the clients' IPv4 addresses."""
    title = "Way of the intranet to the leases"
    if site.translation is None or plan.leases is None:
        return Section(title, [])
    pool = plan.leases
    if site.translation.masquerade:
        clients = "clients appear with this machine's own IPv4 address; nobody can call them"
        return Section(title, [("nothing to do", clients)])
    via = str(site.isatap.locators[0]) if site.isatap else "THIS-MACHINE"
    cisco = f"{pool.network_address} {pool.netmask}"
    lines = [
        ("nothing to do", f"if {pool} lies in a subnet of this machine: it answers ARP for the leases"),
        ("otherwise", f"a route on the router of the intranet: {pool} via {via}"),
        ("  Linux", f"ip route add {pool} via {via}"),
        ("  FRR", f"ip route {pool} {via}"),
        ("  BIRD", f"protocol static {{ ipv4; route {pool} via {via}; }}"),
        ("  Cisco", f"ip route {cisco} {via}"),
        ("  Windows", f"route -p add {pool.network_address} mask {pool.netmask} {via}"),
    ]
    if not site.isatap:
        lines.append(("  THIS-MACHINE", "is an IPv4 address of this machine on a link that both share"))
    return Section(title, lines)


def _names(site: Site, plan: Plan) -> Section:
    lines: list[tuple[str, str]] = []
    if site.isatap:
        name = site.isatap.name
        if not name and site.site.domain:
            name = f"manageout-isatap.{site.site.domain}"
        if not name:
            name = "a name of your choice"
            lines.append(("isatap.name", "is not set, nor site.domain from which it would follow"))
        lines += [(name, f"A {locator}   (intranet DNS)") for locator in site.isatap.locators]
        lines += [(name, f"A {router}   (intranet DNS; another router)") for router in site.isatap.routers]
        lines.append(("isatap", "never: every Windows machine would follow it; leave it on the block list"))
    if site.gateway:
        lines.append(
            ("the certificate's name", f"A, public DNS: where {', '.join(site.gateway.listen)} is reached")
        )
    return Section("DNS names to create", lines)


def _firewalls(site: Site, plan: Plan) -> Section:
    lines: list[tuple[str, str]] = []
    if site.isatap:
        hosts = ", ".join(map(str, site.isatap.hosts)) or "nobody yet (isatap.hosts is empty)"
        locators = ", ".join(map(str, site.isatap.locators))
        lines.append(("IP protocol 41", f"both ways between {hosts} and {locators}"))
        lines.append(("", "ICMP 'fragmentation needed' must come back as well"))
    if site.gateway:
        lines.append(("TCP", f"from the Internet to {', '.join(site.gateway.listen)}"))
        lines.append(
            ("on the clients", f"allow what managers use (RDP, SSH, WinRM) from {plan.isatap_prefix}")
        )
        if site.translation and not site.translation.masquerade:
            lines.append(("", f"and from {plan.nat64}: managers that call by lease"))
    return Section("Firewalls", lines)


def _windows(site: Site, plan: Plan) -> Section:
    lines: list[tuple[str, str]] = []
    if site.isatap:
        name = site.isatap.name or "NAME"
        lines.append(("manager, PowerShell", f"Set-NetIsatapConfiguration -State Enabled -Router {name}"))
        lines.append(("  undo", "Reset-NetIsatapConfiguration"))
        lines.append(("  or netsh", f"netsh interface isatap set router {name} enabled"))
        lines.append(("  undo, netsh", "netsh interface isatap set router default default"))
        lines.append(("  see", "netsh interface isatap show state; ipconfig shows an address in"))
        lines.append(("", f"  {plan.isatap_prefix} on the ISATAP adapter"))
    if site.gateway:
        url = f"https://NAME:443{site.gateway.iphttps.paths[0] if site.gateway.iphttps.paths else '/'}"
        mode = site.gateway.authentication
        lines.append(
            ("client, netsh", f"netsh interface httpstunnel add interface client {url} enabled {mode}")
        )
        lines.append(("  undo", "netsh interface httpstunnel delete interface"))
        lines.append(("  NAME", "is the certificate's name; an address literal does not work"))
    return Section("Windows", lines)
