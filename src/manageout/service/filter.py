"""Site and plan -> the body of our nftables table ``inet manageout``: one text, replaced as a whole. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Network

from manageout.config import Site
from manageout.plan import IPHTTPS_DEVICE, ISATAP_DEVICE, Plan

# RFC 4890 4.3.1: errors that must pass, whoever sends them.
_ERRORS = "destination-unreachable, packet-too-big, time-exceeded, parameter-problem"

# The kernel reports its own multicast groups into every link; ours carry none, and would count them as drops.
_OWN_MULTICAST = (
    "type filter hook output priority filter; policy accept;",
    'oifname "mo-*" icmpv6 type { mld-listener-report, mld2-listener-report, mld-listener-done } drop',
)


def table(site: Site, plan: Plan, underlays: Sequence[str] = ()) -> str:
    """Forwarding rules: what enters or leaves our links stays between the prefixes that belong together.

    By prefix and without connection tracking, which would cost each packet more than the whole tunnel does.
    Traffic of other devices is not ours to judge.
    """
    rules = [
        "type filter hook forward priority filter; policy accept;",
        'iifname != "mo-*" oifname != "mo-*" accept',
    ]
    if site.isatap is not None:
        beyond = "::/0" if site.isatap.default_route else _set((*plan.advertised, plan.site))
        rules += _pair(ISATAP_DEVICE, _set([plan.isatap_prefix]), beyond)
    if site.gateway is not None:
        if not site.policy.hairpin:
            rules.append(f"iifname {IPHTTPS_DEVICE} oifname {IPHTTPS_DEVICE} counter drop")
        beyond = _set((*plan.client_routes, plan.isatap_prefix, plan.site))
        rules += _pair(IPHTTPS_DEVICE, _set([plan.client_prefix]), beyond)
    rules += ["icmpv6 type { " + _ERRORS + " } accept", "counter drop"]
    chains = [_chain("forward", rules), _chain("output", _OWN_MULTICAST)]
    if site.isatap is not None and underlays:
        chains.append(_chain("input", _arrival(site.isatap.locators, underlays)))
    return "\n".join(chains)


def _arrival(locators: Iterable[IPv4Address], underlays: Iterable[str]) -> list[str]:
    """RFC 5214 7.3 rule 1: protocol 41 to a locator counts only on the device that holds it.

    The Internet side of a gateway thus cannot speak for an intranet host.
    """
    devices = ", ".join(f'"{name}"' for name in underlays)
    addresses = ", ".join(map(str, locators))
    return [
        "type filter hook input priority filter; policy accept;",
        f"meta l4proto 41 ip daddr {{ {addresses} }} iifname != {{ {devices} }} counter drop",
    ]


def _chain(name: str, rules: Iterable[str]) -> str:
    return f"  chain {name} {{\n" + "\n".join(f"    {rule}" for rule in rules) + "\n  }"


def _pair(device: str, own: str, beyond: str) -> list[str]:
    return [
        f"iifname {device} ip6 saddr {own} ip6 daddr {beyond} accept",
        f"oifname {device} ip6 saddr {beyond} ip6 daddr {own} accept",
    ]


def _set(prefixes: Iterable[IPv6Network]) -> str:
    """An nftables set without overlapping members."""
    unique = list(dict.fromkeys(prefixes))
    kept = [p for p in unique if not any(p != q and p.subnet_of(q) for q in unique)]
    return "{ " + ", ".join(map(str, kept)) + " }"
