"""Whether the kernel of this gateway passes a manager's packets on to a client: its switches, our rules, the route."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from manageout.errors import KernelError
from manageout.linux.host import sysctl
from manageout.linux.netlink.links import Netlink
from manageout.linux.nft import program as nft
from manageout.site.plan import IPHTTPS_DEVICE


def faults(netlink: Netlink, client: IPv6Address, manager: IPv4Address | None) -> Iterator[str]:
    """What stands in the way. ``manager``: whose packets come in by IPv4 for a lease, or None.

    Raises :class:`NotPermitted` without CAP_NET_ADMIN.
    """
    if sysctl.find("net.ipv6.conf.all.forwarding") == "0":
        yield "net.ipv6.conf.all.forwarding is 0: no IPv6 packet is forwarded"
    if manager is not None:
        yield from _ipv4(netlink, manager)
    try:
        route = netlink.route_get(client)
    except KernelError as error:
        yield f"{client}: {error.message}"
    else:
        if route.dev != IPHTTPS_DEVICE:
            yield f"the route to {client} leads to {route.dev}, not to {IPHTTPS_DEVICE}"
    if nft.TABLE not in nft.tables():
        yield f"table {nft.TABLE}, this gateway's rules, is not in the kernel"


def _ipv4(netlink: Netlink, manager: IPv4Address) -> Iterator[str]:
    try:
        device = netlink.route_get(manager).dev
    except KernelError as error:
        yield f"{manager}: {error.message}"
        return
    if sysctl.find(f"net/ipv4/conf/{device}/forwarding") == "0":
        yield f"net.ipv4.conf.{device}.forwarding is 0: no IPv4 packet from there is forwarded"
