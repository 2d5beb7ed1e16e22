"""Site and plan -> what the kernel should hold: devices, addresses, routes, parameters, packet filter. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from typing import NamedTuple

from manageout.config import Site
from manageout.plan import IPHTTPS_DEVICE, ISATAP_DEVICE, Plan
from manageout.service.filter import table

IPHTTPS_MTU = 1280  # [MS-IPHTTPS] 3.2.3.1
LINK_PREFIX_LENGTH = 64


class Device(NamedTuple):
    """A TUN device and what it carries. ``vnet_hdr``: the role reads and writes super-packets."""

    name: str
    mtu: int
    vnet_hdr: bool
    addresses: tuple[IPv6Interface, ...]


class WantedRoute(NamedTuple):
    """A route through another machine."""

    prefix: IPv6Network
    via: IPv6Address


@dataclass(frozen=True)
class Desired:
    """The blueprint; :mod:`manageout.service.reconcile` makes the kernel equal to it."""

    devices: tuple[Device, ...]
    routes: tuple[WantedRoute, ...]
    sysctls: tuple[tuple[str, str], ...]
    filter: str
    """Body of the nftables table ``inet manageout``."""


def desired(site: Site, plan: Plan, underlays: Sequence[str] = ()) -> Desired:
    """Everything that ``site`` needs from the kernel of this machine.

    ``underlays``: the devices that hold the ISATAP locators, if all locators are on such devices.
    """
    devices, routes = [], []
    if site.isatap is not None:
        addresses = _interfaces((*plan.isatap_link_locals, *plan.isatap_addresses))
        devices.append(Device(ISATAP_DEVICE, site.isatap.mtu, True, addresses))
        routes += [WantedRoute(route.prefix, route.via) for route in site.isatap.routes]
    if site.gateway is not None:
        addresses = _interfaces((plan.gateway_link_local, plan.gateway_address))
        devices.append(Device(IPHTTPS_DEVICE, IPHTTPS_MTU, True, addresses))
        if site.gateway.isatap_router is not None:
            routes.append(WantedRoute(plan.isatap_prefix, site.gateway.isatap_router))
    return Desired(
        tuple(devices),
        tuple(routes),
        (("net.ipv6.conf.all.forwarding", "1"),),
        table(site, plan, underlays),
    )


def _interfaces(addresses: Iterable[IPv6Address]) -> tuple[IPv6Interface, ...]:
    return tuple(IPv6Interface((address, LINK_PREFIX_LENGTH)) for address in addresses)
