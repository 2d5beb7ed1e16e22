"""What turning forwarding on must not open. Pure.

The kernel forwards between all devices or none, and we need it between ours and the others. So where this machine was
no router before us, it must not become one between devices that are not ours: from the Internet into the intranet, for
instance. The same rules are in the table of the rules, and in one of their own that outlives a killed process for as
long as forwarding does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from manageout.service.policy.filter_text import set_of
from manageout.site.tables.site import Site

IPV4_FORWARDING = "net.ipv4.conf.all.forwarding"
IPV6_FORWARDING = "net.ipv6.conf.all.forwarding"

GUARDED = "guarded"
"""The counter of what the guard has dropped."""
_OTHERS = 'iifname != "mo-*" oifname != "mo-*"'
_BRIDGES = "bridges"
BRIDGES = 4096
"""Bridges of this machine that are told apart; what further ones pass on is dropped."""
_BRIDGED = (
    f'{_OTHERS} meta iifkind "bridge" update @{_BRIDGES} {{ meta iif . meta iif }}',
    f"{_OTHERS} meta iif . meta oif @{_BRIDGES} accept",
)
_HOOK = "type filter hook forward priority {}; policy accept;"


class Router(NamedTuple):
    """How this machine forwarded before us."""

    ipv4: bool = True
    ipv6: bool = True
    devices4: tuple[str, ...] = ()
    """Where not all did: those that forwarded what they received in IPv4."""
    devices6: tuple[str, ...] = ()
    """The same in IPv6 (``force_forwarding``, Linux 6.17)."""


def sets(site: Site, before: Router) -> list[str]:
    """The sets of either chain."""
    if not list(_matches(site, before)):
        return []
    return [set_of(_BRIDGES, "iface_index . iface_index", BRIDGES, "10m")]


def rules(site: Site, before: Router) -> Iterator[str]:
    """The chain in the table of the rules."""
    yield _HOOK.format("filter - 1")
    matches = list(_matches(site, before))
    if matches:
        yield from _BRIDGED
    for match in matches:
        yield f"{match} counter name {GUARDED} drop"


def lasting_rules(site: Site, before: Router) -> list[str]:
    """The chain in the table that outlives us; none where there is nothing to guard."""
    matches = list(_matches(site, before))
    drops = (f"{match} counter drop" for match in matches)
    return [_HOOK.format("filter"), *_BRIDGED, *drops] if matches else []


def _matches(site: Site, before: Router) -> Iterator[str]:
    """What only turning forwarding on would forward."""
    if site.translation is not None and not before.ipv4:
        yield f"meta nfproto ipv4 {_OTHERS}{_but(before.devices4)}"
    if not before.ipv6:
        yield f"meta nfproto ipv6 {_OTHERS}{_but(before.devices6)}"


def _but(devices: tuple[str, ...]) -> str:
    names = ", ".join(f'"{name}"' for name in devices)
    return f" iifname != {{ {names} }}" if names else ""
