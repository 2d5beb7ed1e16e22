"""What this machine is on the IPv4 intranet: its own address there, and who answers ARP for the leases."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import NamedTuple

from manageout.errors import KernelError
from manageout.linux.netlink.links import Netlink
from manageout.site.plan import DEVICES, Plan
from manageout.site.tables.site import Site

DUMMY = IPv4Address("192.0.0.8")
"""RFC 7600: the source of errors of a machine without any IPv4 address."""


class Ipv4Side(NamedTuple):
    """``own``: the source of the translator's ICMP errors. ``connected``: device -> its subnets. ``others``: the
    indexes of the devices that are up and not ours."""

    own: IPv4Address
    connected: dict[str, tuple[IPv4Network, ...]]
    others: tuple[int, ...]

    def device_for(self, network: IPv4Network) -> str | None:
        """The device whose subnet holds all of ``network``, so that hosts there ask by ARP for its addresses."""
        for dev, subnets in self.connected.items():
            if any(network.subnet_of(subnet) for subnet in subnets):
                return dev
        return None


def ipv4_side(netlink: Netlink, site: Site, plan: Plan) -> Ipv4Side:
    """As the machine is now."""
    holdings = [
        (link, addresses)
        for link, addresses in netlink.holdings()
        if link.up and link.name != "lo" and link.name not in DEVICES
    ]
    held = [(link.name, each) for link, has in holdings for each in has if isinstance(each, IPv4Interface)]
    connected: dict[str, tuple[IPv4Network, ...]] = {}
    for dev, address in held:
        if address.network.prefixlen < 31:
            connected[dev] = (*connected.get(dev, ()), address.network)
    return Ipv4Side(_own(netlink, site, plan, held), connected, tuple(link.ifindex for link, _ in holdings))


def proxy_device(side: Ipv4Side, site: Site, plan: Plan) -> str | None:
    """Where to answer ARP for leases; None: nobody asks there, or nobody may call clients."""
    if site.translation is None or site.translation.masquerade or plan.leases is None:
        return None
    return side.device_for(plan.leases)


def _own(netlink: Netlink, site: Site, plan: Plan, held: list[tuple[str, IPv4Interface]]) -> IPv4Address:
    """Best the address next to the leases, then a locator, then what we would send to the intranet with."""
    for _, address in held:
        if plan.leases is not None and plan.leases.subnet_of(address.network):
            return address.ip
    if site.isatap is not None:
        return site.isatap.locators[0]
    for network in site.policy.intranet:
        if isinstance(network, IPv4Network):
            try:
                source = netlink.route_get(network[min(1, network.num_addresses - 1)]).src
            except KernelError:
                continue
            if isinstance(source, IPv4Address):
                return source
    return held[0][1].ip if held else DUMMY
