"""What turning forwarding on must not open. Pure.

The kernel forwards between all devices or none, and we need it between ours and the others. So where this machine was
no router before us, it must not become one between devices that are not ours: from the Internet into the intranet, for
instance. The same rules are in the table of the rules, and in one of their own that outlives a killed process for as
long as forwarding does.
"""

from typing import NamedTuple

from manageout.service.policy import filter_text
from manageout.site.tables.site import Site

IPV4_FORWARDING = "net.ipv4.conf.all.forwarding"
IPV6_FORWARDING = "net.ipv6.conf.all.forwarding"

GUARDED = "guarded"
"""The counter of what the guard has dropped."""


class Router(NamedTuple):
    """How this machine forwarded before us."""

    ipv4: bool = True
    ipv6: bool = True
    devices4: tuple[str, ...] = ()
    """Where not all did: those that forwarded what they received in IPv4."""
    devices6: tuple[str, ...] = ()
    """The same in IPv6 (``force_forwarding``, Linux 6.17)."""


def objects(site: Site, before: Router, packets: int) -> list[str]:
    """For the table of the rules. ``packets``: what the counter goes on at."""
    return _objects(site, before, False, {"packets": str(packets), "counter": f"counter name {GUARDED}"})


def lasting_objects(site: Site, before: Router) -> list[str]:
    """For the table that outlives us; none where there is nothing to guard."""
    return _objects(site, before, True, {"counter": "counter"})


def _objects(site: Site, before: Router, lasting: bool, values: dict[str, str]) -> list[str]:
    # What only turning forwarding on would forward.
    facts = {"ipv4": site.translation is not None and not before.ipv4, "ipv6": not before.ipv6}
    facts |= {"guarded": any(facts.values()), "lasting": lasting}
    if lasting and not facts["guarded"]:
        return []
    values |= {"but4": _but(before.devices4), "but6": _but(before.devices6)}
    return filter_text.objects("guard.nft", facts, values)


def _but(devices: tuple[str, ...]) -> str:
    names = ", ".join(f'"{name}"' for name in devices)
    return f" iifname != {{ {names} }}" if names else ""
