"""IPv6 default routes that this machine has learnt from router advertisements, and what forwarding makes of them.

A machine that forwards takes no advertisements on a device whose ``accept_ra`` is 1: turning forwarding on removes the
default routes that were learnt there at once, and one that is learnt nevertheless, or stands because ``accept_ra`` was
2 for a while, ends with its lifetime. A gateway whose way into the IPv6 Internet it was then answers nobody.
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv6Address

from manageout.linux.host import sysctl
from manageout.linux.netlink.links import Netlink
from manageout.service.process.finding import Finding, finding

_SOMEBODY = IPv6Address("2001:db8::1")  # in the Internet (RFC 3849)


def learnt(netlink: Netlink, lost: Mapping[str, str]) -> Iterator[Finding]:
    """What is wrong now. ``lost``: device -> router of default routes that turning forwarding on has removed."""
    for route in netlink.learnt_defaults():
        if route.expires is not None and _deaf(route.dev):
            yield finding("RA-ROUTE.ends", str(route.dev), via=route.via, expires=route.expires)
    if lost and netlink.best_route(_SOMEBODY) is None:
        yield from (finding("RA-ROUTE.lost", dev, via=via) for dev, via in lost.items() if _deaf(dev))


def _deaf(dev: str | None) -> bool:
    """Whether it would hear advertisements, but for forwarding."""
    forwards = sysctl.find(f"net/ipv6/conf/{dev}/forwarding") == "1"
    return forwards and sysctl.find(f"net/ipv6/conf/{dev}/accept_ra") == "1"
