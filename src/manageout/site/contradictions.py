"""A site file as a whole: read, derive the plan, and hold the one against the other."""

import contextlib
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from pathlib import Path

from manageout.errors import ConfigError, Fault
from manageout.site import plan
from manageout.site.plan import Plan
from manageout.site.tables import site as config
from manageout.site.tables.complaints import worded
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
    checks = (_prefixes, _gateway, _isatap, _translation, _explicit_mappings, _names, _managers)
    return [fault for check in checks for fault in check(site, derived)]


def _fault(path: str, kind: str, /, **values: object) -> Fault:
    return Fault(path, *worded(kind, **values))


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
                yield _fault(path, "prefixes_overlap", prefix=prefix, other=other, taken=taken)


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
            yield _fault(path, "entry_twice")
    if gateway.isatap_router and site.isatap:
        yield _fault("gateway.isatap_router", "router_here")
    if gateway.isatap_router and gateway.isatap_router in derived.client_prefix:
        yield _fault("gateway.isatap_router", "router_among_clients")


def _fixed(gateway: GatewayTable, derived: Plan) -> Iterator[Fault]:
    example = derived.client_prefix[0x10]
    holders: dict[object, str] = {}
    for name, address in gateway.fixed.items():
        path = f"gateway.fixed.{name}"
        if address not in derived.client_prefix:
            prefix = derived.client_prefix
            yield _fault(path, "fixed_elsewhere", address=written(address), prefix=prefix, example=example)
        elif address in (derived.gateway_address, derived.client_prefix[0]):
            yield _fault(path, "fixed_gateway", address=address, example=example)
        elif address in holders:
            yield _fault(path, "fixed_twice", address=address, holder=holders[address])
        holders[address] = name


def _isatap(site: Site, derived: Plan) -> Iterator[Fault]:
    isatap = site.isatap
    if isatap is None:
        return
    yield from _locators(isatap)
    for number, route in enumerate(isatap.routes):
        if route.via in route.prefix:
            yield _fault(f"isatap.routes.{number}.via", "via_within", via=route.via)
        if route.via.is_link_local or route.via.is_multicast:
            yield _fault(f"isatap.routes.{number}.via", "via_no_link", via=route.via)


def _locators(isatap: IsatapTable) -> Iterator[Fault]:
    for number, locator in enumerate(isatap.locators):
        path = f"isatap.locators.{number}"
        if locator in isatap.locators[:number]:
            yield _fault(path, "locator_twice", locator=locator)
        if locator in isatap.routers:
            yield _fault("isatap.routers", "locator_of_router", locator=locator)


def _translation(site: Site, derived: Plan) -> Iterator[Fault]:
    table, block = site.translation, derived.leases
    if table is None or block is None:
        return
    if site.gateway is None:
        yield _fault("translation", "leases_without_gateway")
    if table.block is not None and table.block < table.pool.prefixlen:
        yield _fault("translation.block", "block_too_large", pool=table.pool)
    elif not block.subnet_of(table.pool):
        nodes = 2 ** (block.prefixlen - table.pool.prefixlen)
        length = block.prefixlen
        yield _fault("gateway.node", "node_without_block", pool=table.pool, nodes=nodes, length=length)
    for what, machine in _machines(site):
        if machine in table.pool:
            yield _fault("translation.pool", "pool_holds", machine=machine, what=what)
    holders: dict[object, str] = {}
    for name, address in table.fixed.items():
        path = f"translation.fixed.{name}"
        if address not in block:
            example = block[min(10, block.num_addresses - 1)]
            yield _fault(path, "fixed_elsewhere", address=address, prefix=block, example=example)
        elif address in holders:
            yield _fault(path, "fixed_twice", address=address, holder=holders[address])
        elif block.prefixlen < 31 and address in (block[0], block[-1]):
            yield _fault(path, "fixed_no_machine", address=address, first=block[1], last=block[-2])
        holders[address] = name


def _explicit_mappings(site: Site, derived: Plan) -> Iterator[Fault]:
    """RFC 7757 3.2, and that no client gets an address that is somebody's."""
    seen: dict[object, str] = {}
    for number, entry in enumerate(site.translation.eam if site.translation else ()):
        path = f"translation.eam.{number}"
        if 32 - entry.ipv4.prefixlen > 128 - entry.ipv6.prefixlen:
            yield _fault(f"{path}.ipv4", "eam_sizes", ipv4=entry.ipv4, ipv6=entry.ipv6)
        if site.translation and entry.ipv4.subnet_of(site.translation.pool):
            yield _fault(f"{path}.ipv4", "eam_in_pool", ipv4=entry.ipv4, pool=site.translation.pool)
        if entry.ipv6.subnet_of(derived.client_prefix):
            yield _fault(f"{path}.ipv6", "eam_of_clients", ipv6=entry.ipv6, prefix=derived.client_prefix)
        for key, network in (("ipv4", entry.ipv4), ("ipv6", entry.ipv6)):
            if network in seen:
                yield _fault(f"{path}.{key}", "eam_twice", network=network, path=seen[network])
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
        yield _fault("dns64", "dns64_without_gateway")
    if site.names is not None and site.gateway is None and not (site.isatap and site.isatap.name):
        yield _fault("names", "names_of_nobody")
    for number, server in enumerate(site.dns64.upstreams if site.dns64 else ()):
        if HostPort.parse(server, 53).address == derived.dns64:
            yield _fault(f"dns64.upstreams.{number}", "upstream_is_dns64", server=server)
    if site.names is not None and not (site.names.zone or site.site.domain):
        yield _fault("names.zone", "zone_unknown")
    if site.names is not None and not site.names.servers and site.dns64 is None:
        yield _fault("names.servers", "server_unknown")


def _managers(site: Site, derived: Plan) -> Iterator[Fault]:
    """Rules that name clients need somebody who knows their names."""
    for number, manager in enumerate(site.policy.managers):
        if "*" in manager.to:
            continue
        path = f"policy.managers.{number}.to"
        if site.gateway is None:
            yield _fault(path, "names_unknown_to_router")
        elif site.gateway.authentication == "none":
            yield _fault(path, "names_without_certificates")
