"""A site file as a whole: read, derive the plan, and hold the one against the other."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from pathlib import Path

from manageout.errors import ConfigError, Fault
from manageout.site import plan
from manageout.site.plan import Plan
from manageout.site.tables import site as config
from manageout.site.tables.site import GatewayTable, IsatapTable, Site
from manageout.wire.address import written
from manageout.wire.host_port import HostPort


def read_site(file: Path) -> tuple[Site, Plan]:
    """The site in ``file`` and its plan. Raises :class:`ConfigError` with every fault of either."""
    site = config.load(file)
    derived = plan.plan(site)
    faults = contradictions(site, derived)
    if faults:
        raise ConfigError(str(file), faults)
    return site, derived


def contradictions(site: Site, derived: Plan) -> list[Fault]:
    """What cannot be together although each value is right by itself."""
    checks: list[Callable[[Site, Plan], Iterator[Fault]]] = [
        _prefixes,
        _gateway,
        _isatap,
        _translation,
        _explicit_mappings,
        _names,
        _managers,
    ]
    return [fault for check in checks for fault in check(site, derived)]


def _prefixes(site: Site, derived: Plan) -> Iterator[Fault]:
    """Every prefix has one meaning: none lies within another."""
    used: list[tuple[str, IPv6Network]] = [
        ("the DNS64 subnet", IPv6Network((int(derived.dns64) >> 64 << 64, 64))),
        ("the NAT64 prefix", derived.nat64),
    ]
    if site.isatap or (site.gateway and site.gateway.isatap_router):
        used.append(("isatap.prefix", derived.isatap_prefix))
    if site.gateway:
        used.append(("gateway.prefix", derived.client_prefix))
    if site.isatap:
        used += [(f"isatap.retired.{n}", prefix) for n, prefix in enumerate(site.isatap.retired)]
        used += [(f"isatap.routes.{n}.prefix", route.prefix) for n, route in enumerate(site.isatap.routes)]
    for number, (path, prefix) in enumerate(used):
        for other, taken in used[:number]:
            # A node's own /64 within a route to the aggregate of all nodes is how clusters are written.
            if prefix.overlaps(taken) and not (other == "gateway.prefix" and taken != prefix):
                yield Fault(path, f"{prefix} overlaps {other} ({taken})", "give each its own prefix")


def _gateway(site: Site, derived: Plan) -> Iterator[Fault]:
    gateway = site.gateway
    if gateway is None:
        return
    yield from _fixed(gateway, derived)
    for path, values in (
        ("gateway.listen", gateway.listen),
        ("gateway.iphttps.paths", gateway.iphttps.paths),
    ):
        if len(set(values)) != len(values):
            yield Fault(path, "the same entry twice", "remove one")
    if gateway.isatap_router and site.isatap:
        yield Fault(
            "gateway.isatap_router",
            "this machine is itself the ISATAP router",
            "remove it, or the [isatap] table",
        )
    if gateway.isatap_router and gateway.isatap_router in derived.client_prefix:
        yield Fault("gateway.isatap_router", "lies in the client prefix", "name its address on the intranet")


def _fixed(gateway: GatewayTable, derived: Plan) -> Iterator[Fault]:
    example = derived.client_prefix[0x10]
    holders: dict[object, str] = {}
    for name, address in gateway.fixed.items():
        path = f"gateway.fixed.{name}"
        if address not in derived.client_prefix:
            yield Fault(
                path, f"{written(address)} is not in {derived.client_prefix}", f"for example {example}"
            )
        elif address in (derived.gateway_address, derived.client_prefix[0]):
            yield Fault(path, f"{address} is the gateway's own", f"for example {example}")
        elif address in holders:
            yield Fault(path, f"{address} is already that of {holders[address]}", "one address, one client")
        holders[address] = name


def _isatap(site: Site, derived: Plan) -> Iterator[Fault]:
    isatap = site.isatap
    if isatap is None:
        return
    yield from _locators(isatap)
    for number, route in enumerate(isatap.routes):
        if route.via in route.prefix:
            yield Fault(
                f"isatap.routes.{number}.via",
                f"{route.via} lies in the prefix that it is the way to",
                "name the gateway's address on a link that this machine shares with it",
            )
        if route.via.is_link_local or route.via.is_multicast:
            yield Fault(f"isatap.routes.{number}.via", f"{route.via} names no link", "use a global address")


def _locators(isatap: IsatapTable) -> Iterator[Fault]:
    for number, locator in enumerate(isatap.locators):
        path = f"isatap.locators.{number}"
        if locator.is_multicast or locator.is_loopback or locator.is_unspecified or locator.is_reserved:
            yield Fault(
                path, f"{locator} is no address of a machine", "name an intranet address of this machine"
            )
        if locator in isatap.locators[:number]:
            yield Fault(path, f"{locator} is there twice", "remove one")
        if locator in isatap.routers:
            yield Fault("isatap.routers", f"{locator} is this machine", "list only the other routers")


def _translation(site: Site, derived: Plan) -> Iterator[Fault]:
    table, block = site.translation, derived.leases
    if table is None or block is None:
        return
    if site.gateway is None:
        yield Fault(
            "translation", "needs a gateway", "clients get leases: add a [gateway] table, or remove this"
        )
    if table.block is not None and table.block < table.pool.prefixlen:
        yield Fault("translation.block", f"is larger than {table.pool}", f"at least {table.pool.prefixlen}")
    elif not block.subnet_of(table.pool):
        nodes = 2 ** (block.prefixlen - table.pool.prefixlen)
        hint = f"{table.pool} has {nodes} blocks of /{block.prefixlen}: enlarge the pool, or set translation.block"
        yield Fault("gateway.node", "has no block in translation.pool", hint)
    for what, machine in _machines(site):
        if machine in table.pool:
            yield Fault("translation.pool", f"holds {machine}, {what}", "choose addresses nobody uses")
    holders: dict[object, str] = {}
    for name, address in table.fixed.items():
        path = f"translation.fixed.{name}"
        if address not in block:
            yield Fault(
                path, f"{address} is not in {block}", f"for example {block[min(10, block.num_addresses - 1)]}"
            )
        elif address in holders:
            yield Fault(path, f"{address} is already that of {holders[address]}", "one address, one client")
        elif block.prefixlen < 31 and address in (block[0], block[-1]):
            yield Fault(path, f"{address} is no address of a machine", f"{block[1]} to {block[-2]} are")
        holders[address] = name


def _explicit_mappings(site: Site, derived: Plan) -> Iterator[Fault]:
    """RFC 7757 3.2, and that no client gets an address that is somebody's."""
    seen: dict[object, str] = {}
    for number, entry in enumerate(site.translation.eam if site.translation else ()):
        path = f"translation.eam.{number}"
        if 32 - entry.ipv4.prefixlen > 128 - entry.ipv6.prefixlen:
            yield Fault(
                f"{path}.ipv4",
                f"{entry.ipv4} has more addresses than {entry.ipv6}",
                "enlarge `ipv6` (RFC 7757 3.2)",
            )
        if site.translation and entry.ipv4.subnet_of(site.translation.pool):
            hint = f"choose addresses outside of {site.translation.pool}"
            yield Fault(f"{path}.ipv4", f"{entry.ipv4} lies in translation.pool, which is for clients", hint)
        if entry.ipv6.subnet_of(derived.client_prefix):
            hint = "clients have leases: use translation.fixed"
            yield Fault(f"{path}.ipv6", f"{entry.ipv6} is of clients ({derived.client_prefix})", hint)
        for key, network in (("ipv4", entry.ipv4), ("ipv6", entry.ipv6)):
            if network in seen:
                yield Fault(f"{path}.{key}", f"{network} is mapped already by {seen[network]}", "remove one")
            seen[network] = path


def _machines(site: Site) -> Iterator[tuple[str, object]]:
    """IPv4 addresses that the file says somebody has, and who."""
    if site.isatap:
        yield from (("our locator", locator) for locator in site.isatap.locators)
        yield from (("the other ISATAP router", router) for router in site.isatap.routers)
    servers: list[tuple[str, str]] = []
    if site.gateway:
        servers += [("where the gateway listens", listener) for listener in site.gateway.listen]
    if site.dns64:
        servers += [("a DNS server", server) for server in site.dns64.upstreams]
    if site.names:
        servers += [("a DNS server", server) for server in site.names.servers]
    for what, server in servers:
        with contextlib.suppress(ValueError):  # an IPv6 address, perhaps with a port
            yield what, IPv4Address(server.partition(":")[0])
    for manager in site.policy.managers:
        for source in manager.source:
            if isinstance(source, IPv4Network) and source.prefixlen == 32:
                yield f"the manager {manager.name}".rstrip(), source.network_address


def _names(site: Site, derived: Plan) -> Iterator[Fault]:
    if site.dns64 is not None and site.gateway is None:
        yield Fault("dns64", "needs a gateway", "it serves clients: add a [gateway] table, or remove this")
    if site.names is not None and site.gateway is None and not (site.isatap and site.isatap.name):
        hint = "it is for clients and for isatap.name: add either, or remove this"
        yield Fault("names", "needs a gateway or the router's name", hint)
    for number, server in enumerate(site.dns64.upstreams if site.dns64 else ()):
        if HostPort.parse(server, 53).address == derived.dns64:
            hint = "name a DNS server of the intranet"
            yield Fault(f"dns64.upstreams.{number}", f"{server} is the DNS64 itself", hint)
    if site.names is not None and not (site.names.zone or site.site.domain):
        yield Fault("names.zone", "is required without site.domain", "for example corp.example")
    if site.names is not None and not site.names.servers and site.dns64 is None:
        yield Fault(
            "names.servers", "is required without a [dns64] table", "name the zone's primary DNS server"
        )


def _managers(site: Site, derived: Plan) -> Iterator[Fault]:
    """Rules that name clients need somebody who knows their names."""
    for number, manager in enumerate(site.policy.managers):
        if "*" in manager.to:
            continue
        path = f"policy.managers.{number}.to"
        if site.gateway is None:
            hint = 'write to = ["*"] here, and the names in the gateway\'s file: it judges every packet too'
            yield Fault(path, "a router without a gateway does not know the clients' names", hint)
        elif site.gateway.authentication == "none":
            hint = 'write to = ["*"], or set gateway.authentication to "certificates"'
            yield Fault(path, "clients without certificates have no names", hint)
