"""Site and plan -> what the kernel should hold: devices, addresses, routes, parameters, packet filter. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import NamedTuple

from manageout.linux.netlink.conntrack import ACCOUNTING, TIMESTAMPS
from manageout.protocol.offload.cut import MTU
from manageout.service.policy import guard
from manageout.service.policy.filter import table
from manageout.service.policy.filter_tracking import timeouts
from manageout.service.policy.surroundings import NOWHERE, Surroundings
from manageout.site.plan import IPHTTPS_DEVICE, ISATAP_DEVICE, STOCK_DEVICE, XLAT_DEVICE, Plan
from manageout.site.tables.site import Site

XLAT_MTU = 1500  # the intranet's; the translator itself says what is too big for the clients' link
LINK_PREFIX_LENGTH = 64


class Device(NamedTuple):
    """A TUN device and what it carries. ``vnet_hdr``: the role reads and writes super-packets."""

    name: str
    mtu: int
    vnet_hdr: bool
    addresses: tuple[IPv6Interface, ...]


class DesiredRoute(NamedTuple):
    """A route through another machine, or into a device of ours."""

    prefix: IPv4Network | IPv6Network
    via: IPv6Address | None = None
    dev: str | None = None

    def __str__(self) -> str:
        return f"{self.prefix} via {self.via}" if self.via else f"{self.prefix} into {self.dev}"


@dataclass(frozen=True)
class Desired:
    """The blueprint; :mod:`manageout.service.daemon.reconcile` makes the kernel equal to it."""

    devices: tuple[Device, ...]
    routes: tuple[DesiredRoute, ...]
    sysctls: tuple[tuple[str, str], ...]
    filter: str
    """Body of the nftables table ``inet manageout``."""
    guard: str = ""
    """Of the table that outlives us while forwarding is on; empty: none is needed."""
    timeouts: str = ""
    """Of the table of connections' time-outs; empty: the kernel has none of its own."""

    @property
    def prefixes(self) -> list[IPv4Network | IPv6Network]:
        """Of our routes, and of what is on the links of our devices."""
        links = (address.network for device in self.devices for address in device.addresses)
        return [*(route.prefix for route in self.routes), *links]


def desired(site: Site, plan: Plan, around: Surroundings = NOWHERE) -> Desired:
    """Everything that ``site`` needs from the kernel of this machine."""
    towards = sorted({*around.underlays, *around.towards.values()})
    rules = [table(site, plan, around.underlays, around.contents, around.features, towards)]
    rules += guard.objects(site, around.before, around.contents.counters.get(guard.GUARDED, 0))
    return replace(
        without_rules(site, plan, around),
        filter="\n".join(rules),
        guard="\n".join(guard.lasting_objects(site, around.before)),
        timeouts=timeouts(site, around.features),
    )


def without_rules(site: Site, plan: Plan, around: Surroundings = NOWHERE) -> Desired:
    """The same without the packet filter, which may be long: what is compared with the kernel again and again."""
    devices, routes = [], []
    sysctls = [(guard.IPV6_FORWARDING, "1"), (ACCOUNTING, "1"), (TIMESTAMPS, "1")]
    if site.isatap is not None:
        addresses = _interfaces((*plan.isatap_link_locals, *plan.isatap_addresses))
        devices.append(Device(ISATAP_DEVICE, site.isatap.mtu, True, addresses))
        routes += [DesiredRoute(route.prefix, route.via) for route in site.isatap.routes]
    if site.gateway is not None:
        addresses = _interfaces((plan.gateway_link_local, plan.gateway_address))
        if site.dns64 is not None:
            addresses += (IPv6Interface(plan.dns64),)
        devices += [Device(IPHTTPS_DEVICE, MTU, True, addresses), Device(STOCK_DEVICE, MTU, True, ())]
        if site.gateway.isatap_router is not None:
            routes.append(DesiredRoute(plan.isatap_prefix, site.gateway.isatap_router))
    if site.translation is not None:
        devices.append(Device(XLAT_DEVICE, XLAT_MTU, True, ()))
        prefixes: list[IPv4Network | IPv6Network] = [plan.nat64, *([plan.leases] if plan.leases else ())]
        prefixes += [each.ipv4 for each in site.translation.eam]
        routes += [DesiredRoute(prefix, dev=XLAT_DEVICE) for prefix in prefixes]
        sysctls.append((guard.IPV4_FORWARDING, "1"))
        if around.proxy is not None:
            sysctls.append((f"net/ipv4/neigh/{around.proxy}/proxy_delay", "0"))
    return Desired(tuple(devices), tuple(routes), tuple(sysctls), "")


def _interfaces(addresses: Iterable[IPv6Address]) -> tuple[IPv6Interface, ...]:
    return tuple(IPv6Interface((address, LINK_PREFIX_LENGTH)) for address in addresses)
