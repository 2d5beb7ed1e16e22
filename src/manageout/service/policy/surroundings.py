"""How this machine is, as far as the kernel state that we want depends on it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from manageout.linux.netlink.links import Address, Netlink
from manageout.linux.nft.features import ALL, Features, features
from manageout.service.policy.filter_managers import EMPTY, Contents
from manageout.service.policy.guard import Router
from manageout.service.translate.ipv4_side import ipv4_side, proxy_device
from manageout.site.plan import DEVICES, Plan
from manageout.site.tables.site import Site


class Surroundings(NamedTuple):
    """What the rules depend on that is neither in the site file nor ours to change."""

    underlays: tuple[str, ...] = ()
    """The devices that hold the ISATAP locators, if all locators are on such devices."""
    proxy: str | None = None
    """The device where hosts ask by ARP for leases."""
    towards: Mapping[Address, str] = MappingProxyType({})
    """Where other ISATAP routers, and the next hops of their clients, are reached."""
    before: Router = Router()
    """What this machine forwarded before we came."""
    contents: Contents = EMPTY
    """What the sets of the packet filter hold by now."""
    features: Features = ALL
    """What this kernel's packet filter can do."""


NOWHERE = Surroundings()


def surroundings(netlink: Netlink, site: Site, plan: Plan, seen: Surroundings = NOWHERE) -> Surroundings:
    """This machine as it is, but for what it forwarded before us; ``seen`` is how it was before.

    A locator on the loopback device may be reached by any device, so then no device is said to hold it.
    """
    locators = set(site.isatap.locators) if site.isatap else set()
    holders = {
        each.ip: link.name for link, held in netlink.holdings() for each in held if each.ip in locators
    }
    found = locators == holders.keys() and "lo" not in holders.values()
    underlays = tuple(sorted(set(holders.values()))) if found else ()
    proxy = proxy_device(ipv4_side(netlink, site, plan), site, plan)
    return Surroundings(underlays, proxy, _towards(netlink, site, seen.towards), features=features())


def _towards(netlink: Netlink, site: Site, seen: Mapping[Address, str]) -> dict[Address, str]:
    """Where other ISATAP routers are reached, or were when a way led there.

    A default route does not count: it is what is left when their card is away, and may lead to the Internet.
    """
    if site.isatap is None or not site.isatap.routers:
        return {}
    found: dict[Address, str] = {}
    neighbours: list[Address] = [*site.isatap.routers, *(route.via for route in site.isatap.routes)]
    for each in neighbours:
        route = netlink.best_route(each)
        dev = route.dev if route is not None and route.prefix.prefixlen else seen.get(each)
        if dev is not None and dev not in DEVICES:
            found[each] = dev
    return found
