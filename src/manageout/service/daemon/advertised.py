"""IPv6 default routes that this machine has learnt from router advertisements, and what forwarding makes of them.

A machine that forwards takes no advertisements on a device whose ``accept_ra`` is 1: turning forwarding on removes the
default routes that were learnt there at once, and one that is learnt nevertheless, or stands because ``accept_ra`` was
2 for a while, ends with its lifetime. A gateway whose way into the IPv6 Internet it was then answers nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv6Address

from manageout.linux.host import sysctl
from manageout.linux.netlink.links import KernelRoute, Netlink
from manageout.service.process.finding import Trouble

_SOMEBODY = IPv6Address("2001:db8::1")  # in the Internet (RFC 3849)


def learnt(netlink: Netlink, lost: Mapping[str, str]) -> Iterator[Trouble]:
    """What is wrong now. ``lost``: device -> router of default routes that turning forwarding on has removed."""
    for route in netlink.learnt_defaults():
        if route.expires is not None and _deaf(route.dev):
            yield _ends(route)
    if lost and netlink.best_route(_SOMEBODY) is None:
        yield from (_lost(dev, via) for dev, via in lost.items() if _deaf(dev))


def _deaf(dev: str | None) -> bool:
    """Whether it would hear advertisements, but for forwarding."""
    forwards = sysctl.find(f"net/ipv6/conf/{dev}/forwarding") == "1"
    return forwards and sysctl.find(f"net/ipv6/conf/{dev}/accept_ra") == "1"


def _ends(route: KernelRoute) -> Trouble:
    what = (
        f"the IPv6 default route via {route.via} on {route.dev} ends in {route.expires:.0f} s: it was learnt from a"
        " router advertisement, and a machine that forwards takes no further ones"
    )
    return Trouble("RA-ROUTE", str(route.dev), "warning", what, _remedy(route.dev))


def _lost(dev: str, via: str) -> Trouble:
    what = (
        f"the IPv6 default route via {via} on {dev} went when forwarding was turned on: it was learnt from a router"
        " advertisement, and a machine that forwards takes none"
    )
    return Trouble("RA-ROUTE", dev, "warning", what, _remedy(dev))


def _remedy(dev: str | None) -> str:
    return f"sysctl -w net.ipv6.conf.{dev}.accept_ra=2 (and in /etc/sysctl.d), or configure the route by hand"
