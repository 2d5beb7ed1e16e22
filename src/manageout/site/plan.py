"""Site -> addresses, prefixes and routes. Pure: reads no kernel, resolves no name.

The numbers are those of DirectAccess 2012 and later, so that administrators recognise them; each can be
overridden in the file, because an existing farm has its own.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from manageout.site.tables.site import Site
from manageout.wire.address import isatap_interface_id

ISATAP_SUBNET = 0x1
CLIENT_SUBNET = 0x1000
DNS64_SUBNET = 0x3333
NAT64_SUBNET = 0x7777
LINK_LOCAL = IPv6Network("fe80::/64")

ISATAP_DEVICE = "mo-isatap0"
IPHTTPS_DEVICE = "mo-iphttps0"
STOCK_DEVICE = "mo-iphttps1"
"""Packets for stock clients wait here; addresses, routes and rules name the other one only."""
XLAT_DEVICE = "mo-xlat0"
DEVICES = frozenset({ISATAP_DEVICE, IPHTTPS_DEVICE, STOCK_DEVICE, XLAT_DEVICE})
"""Ours."""


def subnet(prefix: IPv6Network, number: int, length: int = 64) -> IPv6Network:
    """Subnet ``number`` (16 bits) of a /48, at ``length``."""
    return IPv6Network((int(prefix.network_address) | number << 64, length))


def isatap_address(prefix: IPv6Network, locator: IPv4Address) -> IPv6Address:
    """The ISATAP address of ``locator`` in a /64 (RFC 5214 6.1)."""
    return IPv6Address(int(prefix.network_address) | isatap_interface_id(locator))


@dataclass(frozen=True)
class Plan:
    """Everything that follows from a site file."""

    site: IPv6Network
    isatap_prefix: IPv6Network
    client_prefix: IPv6Network
    """The /64 of this node's clients."""
    client_aggregate: IPv6Network
    """The /59 of all nodes' clients."""
    gateway_address: IPv6Address
    """The gateway on its client link."""
    gateway_link_local: IPv6Address
    dns64: IPv6Address
    nat64: IPv6Network
    leases: IPv4Network | None
    """This node's block of the pool, or None without translation."""
    isatap_link_locals: tuple[IPv6Address, ...]
    """The router's own addresses, one a locator, in the order of the file."""
    isatap_addresses: tuple[IPv6Address, ...]
    advertised: tuple[IPv6Network, ...]
    """Prefixes that ISATAP hosts reach through us (Route Information)."""
    client_routes: tuple[IPv6Network, ...]
    """Prefixes that clients send into the tunnel (Route Information)."""


def plan(site: Site) -> Plan:
    """Derive the plan of ``site``."""
    prefix, gateway, isatap, translation = site.site.prefix, site.gateway, site.isatap, site.translation
    node = gateway.node if gateway else 0
    isatap_prefix = (isatap and isatap.prefix) or subnet(prefix, ISATAP_SUBNET)
    client_prefix = (gateway and gateway.prefix) or subnet(prefix, CLIENT_SUBNET + node)
    aggregate = subnet(prefix, CLIENT_SUBNET, 59)
    locators = isatap.locators if isatap else ()
    return Plan(
        site=prefix,
        isatap_prefix=isatap_prefix,
        client_prefix=client_prefix,
        client_aggregate=aggregate,
        gateway_address=client_prefix[1],
        gateway_link_local=LINK_LOCAL[1],
        dns64=_dns64(site),
        nat64=(translation and translation.prefix) or subnet(prefix, NAT64_SUBNET, 96),
        leases=_block(translation.pool, translation.block, node) if translation else None,
        isatap_link_locals=tuple(isatap_address(LINK_LOCAL, locator) for locator in locators),
        isatap_addresses=tuple(isatap_address(isatap_prefix, locator) for locator in locators),
        advertised=tuple((isatap and isatap.advertise) or _advertised(site, client_prefix, aggregate)),
        client_routes=_client_routes(site),
    )


def _client_routes(site: Site) -> tuple[IPv6Network, ...]:
    """The site, or what the file says instead; and NAT64 prefixes that lie elsewhere."""
    gateway, translation, dns64 = site.gateway, site.translation, site.dns64
    routes = [*((gateway and gateway.routes) or (site.site.prefix,))]
    wanted = [translation.prefix or subnet(site.site.prefix, NAT64_SUBNET, 96)] if translation else []
    if dns64 is not None:
        wanted += [entry.prefix for entry in dns64.prefixes]
        wanted.append(IPv6Network(_dns64(site)))
    for prefix in wanted:
        if not any(prefix.subnet_of(route) for route in routes):
            routes.append(prefix)
    return tuple(routes)


def _dns64(site: Site) -> IPv6Address:
    return subnet(site.site.prefix, DNS64_SUBNET)[1 + (site.gateway.node if site.gateway else 0)]


def _block(pool: IPv4Network, length: int | None, node: int) -> IPv4Network:
    """Block ``node`` of ``pool``; beyond its end if there are fewer (the site file is then refused)."""
    length = max(length or pool.prefixlen, pool.prefixlen)
    return IPv4Network((int(pool.network_address) + (node << 32 - length), length))


def _advertised(site: Site, client_prefix: IPv6Network, aggregate: IPv6Network) -> tuple[IPv6Network, ...]:
    isatap = site.isatap
    prefixes = [route.prefix for route in isatap.routes] if isatap else []
    if site.gateway is not None:
        prefixes.insert(0, aggregate if client_prefix.subnet_of(aggregate) else client_prefix)
    kept = [p for p in prefixes if not any(p != q and p.subnet_of(q) for q in prefixes)]
    return tuple(dict.fromkeys(kept))
