"""What turning forwarding on must not open. Pure.

The kernel forwards between all devices or none, and we need it between ours and the others. So where this machine was
no router before us, it must not become one between devices that are not ours: from the Internet into the intranet, for
instance. The same rules are in the table of the rules, and in one of their own that outlives a killed process for as
long as forwarding does. The latter also keeps connections from beginning across our devices, which may outlive it, too.
"""

from typing import NamedTuple

from manageout.service.policy import filter_text
from manageout.service.policy.revision import REFUSED_MARK
from manageout.site.tables.site import Site

IPV4_FORWARDING = "net.ipv4.conf.all.forwarding"
IPV6_FORWARDING = "net.ipv6.conf.all.forwarding"

VOUCHED = 0x10000000
"""The bit of a packet's mark that says that the rules, which are alive, have accepted it."""
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


def keeps(site: Site) -> bool:
    """Whether programs and devices may outlive us."""
    kernel_flows = site.isatap is not None or site.translation is not None
    return kernel_flows and site.daemon.fast_path and site.daemon.orphan > 0


def stands(text: str) -> bool:
    """Whether the lasting table, as the kernel tells of it, lets nothing begin across our devices."""
    _, found, chain = text.partition("chain begun {")
    return bool(found) and "drop" in chain.partition("}")[0]


def _objects(site: Site, before: Router, lasting: bool, values: dict[str, str]) -> list[str]:
    # What only turning forwarding on would forward.
    facts = {"ipv4": site.translation is not None and not before.ipv4, "ipv6": not before.ipv6}
    facts |= {"guarded": any(facts.values()), "lasting": lasting, "keeps": keeps(site)}
    facts["translation"] = site.translation is not None
    if lasting and not facts["guarded"] and not facts["keeps"]:
        return []
    values |= {"refused_mark": f"{REFUSED_MARK:#x}"}
    values |= {"vouched": f"{VOUCHED:#x}", "others": f"{VOUCHED ^ 0xFFFFFFFF:#x}"}
    values |= {"but4": _but(before.devices4), "but6": _but(before.devices6)}
    return filter_text.objects("guard.nft", facts, values)


def _but(devices: tuple[str, ...]) -> str:
    names = ", ".join(f'"{name}"' for name in devices)
    return f" iifname != {{ {names} }}" if names else ""
