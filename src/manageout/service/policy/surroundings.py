"""How this machine is, as far as the kernel state that we want depends on it."""

from __future__ import annotations

from collections.abc import Mapping

from manageout.linux.netlink.links import Address, Netlink
from manageout.linux.nft.features import features
from manageout.service.daemon.desired import NOWHERE, Surroundings
from manageout.service.translate.ipv4_side import DEVICES, ipv4_side, proxy_device
from manageout.site.plan import Plan
from manageout.site.tables.site import Site


def surroundings(netlink: Netlink, site: Site, plan: Plan, seen: Surroundings = NOWHERE) -> Surroundings:
    """This machine as it is, but for what it forwarded before us; ``seen`` is how it was before.

    A locator on the loopback device may be reached by any device, so then no device is said to hold it.
    """
    locators = set(site.isatap.locators) if site.isatap else set()
    holders = {
        address.ip: link.name
        for link, addresses in netlink.holdings()
        for address in addresses
        if address.ip in locators
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
