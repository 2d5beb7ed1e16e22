"""How the policy names machines, ways and rules to people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from manageout.linux.host import sysctl
from manageout.linux.netlink import conntrack
from manageout.linux.nft.features import Features
from manageout.service.process.finding import Finding
from manageout.service.process.rows import Severity
from manageout.site.plan import Plan
from manageout.site.tables.site import Site
from manageout.site.tables.translation import ManagerTable
from manageout.wire.address import embedded_isatap, rfc6052_extract
from manageout.words import counted

CROWDED = 0.9
"""Of the kernel's table of connections."""


class Way(StrEnum):
    """Through what an IPv4 machine of the intranet and a client meet."""

    NAT64 = "NAT64"
    NAT46 = "NAT46"
    ISATAP = "ISATAP"
    IPV6 = "IPv6"


def machine(packed: bytes, site: Site, plan: Plan) -> tuple[IPv4Address | IPv6Address, Way]:
    """The address by which the intranet knows a machine, and the way to it; NAT64 stands for both directions."""
    address = ip_address(packed)
    if isinstance(address, IPv4Address):
        return address, Way.NAT64
    if site.translation is not None and address in plan.nat64:
        return rfc6052_extract(plan.nat64, address) or address, Way.NAT64
    v4 = embedded_isatap(packed) if address in plan.isatap_prefix else None
    if v4 is not None:
        return IPv4Address(v4), Way.ISATAP
    return address, Way.IPV6


def rule_name(number: int, manager: ManagerTable) -> str:
    """As the file calls it."""
    return manager.name or f"managers.{number}"


def rule_names(managers: tuple[ManagerTable, ...]) -> list[str]:
    """Of every table; a name that is there twice gets its number too, for metrics need different ones."""
    names = [rule_name(number, manager) for number, manager in enumerate(managers)]
    return [name if names.count(name) == 1 else f"{name} ({number})" for number, name in enumerate(names)]


class Troubles(NamedTuple):
    """What has befallen the rules."""

    removed: int = 0
    """Times that somebody took them away."""
    unloaded: str = ""
    """Why they are not loaded now."""
    shared: str = ""
    """Why others can take them away."""
    unjudged: str = ""
    """Why the open connections could not be judged by them."""
    guarded: int = 0
    """Packets between devices of others that the guard refused lately."""


class Lately:
    """How much a counter has grown since it last stood still for ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._count = self._base = 0
        self._moved = 0.0

    def note(self, count: int, now: float) -> None:
        """The counter stands at ``count``."""
        if not self.grown(now):
            self._base = self._count
        if count != self._count:
            self._count, self._moved = count, now

    def grown(self, now: float) -> int:
        """0 when it has not moved for so long."""
        return self._count - self._base if now - self._moved < self._seconds else 0


def findings(names: Mapping[str, str], troubles: Troubles) -> list[Finding]:
    """What an administrator should know. ``names``: state of each manager's name."""
    return _rows(_found(names, troubles))


def tracking_findings(features: Features, harm: Iterable[tuple[str, str]]) -> list[Finding]:
    """The same of connection tracking. ``harm``: what rules of others do, and the remedy."""
    return _rows(_of_tracking(features, harm))


def _rows(found: Iterable[tuple[str, Severity, str, str]]) -> list[Finding]:
    return [Finding(*row) for row in found]


def _of_tracking(
    features: Features, harm: Iterable[tuple[str, str]]
) -> Iterator[tuple[str, Severity, str, str]]:
    for what, remedy in harm:
        yield "LISTENER-UNTRACKED", "error", what, remedy
    update = "use a kernel and an nft of Debian 12 or later"
    if not features.counts:
        what = "this kernel cannot count connections (nft_connlimit): one client may fill the table of all"
        yield "CONNECTIONS-UNLIMITED", "warning", what, update
    if not features.timeouts:
        what = "this kernel has no time-outs by rule (CONFIG_NF_CONNTRACK_TIMEOUT): idle connections stay for days"
        yield "CONNECTIONS-STAY", "note", what, update


def _found(names: Mapping[str, str], troubles: Troubles) -> Iterator[tuple[str, Severity, str, str]]:
    for name, state in names.items():
        if state:
            remedy = "correct its DNS record, or the name in [[policy.managers]]"
            yield "MANAGER-NAME", "warning", f"the manager {name} {state}", remedy
    yield from _of_rules(troubles)
    count, limit = sysctl.find(conntrack.COUNT), sysctl.find(conntrack.MAXIMUM)
    if count and limit and int(count) > CROWDED * int(limit):
        what = f"the kernel follows {count} connections and has room for {limit}: new ones soon fail"
        yield "CONNECTIONS-FULL", "error", what, f"raise {conntrack.MAXIMUM}"


def _of_rules(troubles: Troubles) -> Iterator[tuple[str, Severity, str, str]]:
    if troubles.unloaded:
        what = f"the packet filter is not in force, so nothing passes: {troubles.unloaded}"
        yield "RULES-MISSING", "error", what, "see the log; it is tried again every two seconds"
    if troubles.unjudged:
        what = f"open connections could not be judged by the rules in force: {troubles.unjudged}"
        yield "RULES-UNJUDGED", "error", what, "see the log; it is tried again every two seconds"
    if troubles.removed:
        times = counted(troubles.removed, "time")
        what = f"something removed or changed our packet filter or its guard, {times} so far; it was loaded again"
        yield "RULES-REMOVED", "warning", what, "let other firewalls flush their own tables only"
    if troubles.guarded:
        what = (
            f"{counted(troubles.guarded, 'packet')} between devices that are not ours refused lately: this machine"
            " was no router when the daemon started (Docker and libvirt switch forwarding on only if it is off)"
        )
        remedy = (
            "if it is to be one: net.ipv4.ip_forward=1 (net.ipv6.conf.all.forwarding=1) in /etc/sysctl.d,"
            " then stop the daemon, sysctl --system, start it"
        )
        yield "FORWARDING-GUARDED", "warning", what, remedy
    if troubles.shared:
        what = f"other programs can remove our rules; packets stop until they are back ({troubles.shared})"
        yield "RULES-SHARED", "note", what, "Linux 5.12 or later, and libnftables1 1.0 or later"
