"""What the policy tells people: rules by name, what is wrong, and what the packet filter has refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from manageout.linux.host import sysctl
from manageout.linux.netlink import conntrack
from manageout.linux.nft.features import Features
from manageout.linux.nft.sets import Counted
from manageout.protocol.core.drops import Drop
from manageout.service.policy.filter import REFUSALS, set_name
from manageout.service.policy.sessions import PROTOCOLS
from manageout.service.process.finding import Finding
from manageout.service.process.rows import DropRow
from manageout.site.tables.translation import ManagerTable
from manageout.words import counted

CROWDED = 0.9
"""Of the kernel's table of connections."""
_WIDTHS = {4: 4, 6: 16}


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


def findings(names: Mapping[str, str], troubles: Troubles, features: Features) -> Iterator[Finding]:
    """What an administrator should know. ``names``: state of each manager's name."""
    for name, state in names.items():
        if state:
            remedy = "correct its DNS record, or the name in [[policy.managers]]"
            yield Finding("MANAGER-NAME", "warning", f"the manager {name} {state}", remedy)
    yield from _of_rules(troubles)
    yield from _of_tracking(features)


def _of_tracking(features: Features) -> Iterator[Finding]:
    count, limit = sysctl.find(conntrack.COUNT), sysctl.find(conntrack.MAXIMUM)
    if count and limit and int(count) > CROWDED * int(limit):
        what = f"the kernel follows {count} connections and has room for {limit}: new ones soon fail"
        yield Finding("CONNECTIONS-FULL", "error", what, f"raise {conntrack.MAXIMUM}")
    update = "use a kernel and an nft of Debian 12 or later"
    if not features.counts:
        what = "this kernel cannot count connections (nft_connlimit): one client may fill the table of all"
        yield Finding("CONNECTIONS-UNLIMITED", "warning", what, update)
    if not features.timeouts:
        what = "this kernel has no time-outs by rule (CONFIG_NF_CONNTRACK_TIMEOUT): idle connections stay for days"
        yield Finding("CONNECTIONS-STAY", "note", what, update)


def _of_rules(troubles: Troubles) -> Iterator[Finding]:
    if troubles.unloaded:
        what = f"the packet filter is not in force, so nothing passes: {troubles.unloaded}"
        yield Finding("RULES-MISSING", "error", what, "see the log; it is tried again every two seconds")
    if troubles.unjudged:
        what = f"open connections could not be judged by the rules in force: {troubles.unjudged}"
        yield Finding("RULES-UNJUDGED", "error", what, "see the log; it is tried again every two seconds")
    if troubles.removed:
        times = counted(troubles.removed, "time")
        what = f"something removed or changed our packet filter or its guard, {times} so far; it was loaded again"
        yield Finding("RULES-REMOVED", "warning", what, "let other firewalls flush their own tables only")
    if troubles.guarded:
        what = (
            f"{counted(troubles.guarded, 'packet')} between devices that are not ours refused lately: this machine"
            " was no router when the daemon started (Docker and libvirt switch forwarding on only if it is off)"
        )
        remedy = (
            "if it is to be one: net.ipv4.ip_forward=1 (net.ipv6.conf.all.forwarding=1) in /etc/sysctl.d,"
            " then stop the daemon, sysctl --system, start it"
        )
        yield Finding("FORWARDING-GUARDED", "warning", what, remedy)
    if troubles.shared:
        what = f"other programs can remove our rules; packets stop until they are back ({troubles.shared})"
        yield Finding("RULES-SHARED", "note", what, "Linux 5.12 or later, and libnftables1 1.0 or later")


def drop_rows(
    counted: Callable[[str], list[Counted]], who: Callable[[bytes], str], now: float
) -> Iterator[DropRow]:
    """``counted(set)`` reads a set of the filter, ``who(address)`` names a machine or client.

    Sources are kept for longer than what they wanted, and further ones of a full set are only in the totals.
    """
    for reason in REFUSALS:
        for version, width in _WIDTHS.items():
            name = set_name(reason)
            sources = counted(f"{name}{version}")
            pairs = counted(f"{name}_to{version}") if reason is Drop.POLICY else []
            told: Counter[bytes] = Counter()
            for element in pairs:
                source, to, service = _split(element.key, width)
                told[source] += element.packets
                row = _drop_row(reason, who(source), element, element.packets, now)
                row["to"], row["service"] = who(to), service
                yield row
            for element in sources:
                left = element.packets - told[element.key]
                if left > 0:
                    yield _drop_row(reason, who(element.key), element, left, now)


def _drop_row(reason: Drop, source: str, element: Counted, count: int, now: float) -> DropRow:
    last = None if element.age is None else now - element.age
    return {"reason": reason.label, "source": source, "count": count, "last": last}


def _split(key: bytes, width: int) -> tuple[bytes, bytes, str]:
    """Source, destination and service of an element; every part takes whole words of four bytes."""
    protocol = key[2 * width]
    port = int.from_bytes(key[2 * width + 4 : 2 * width + 6], "big")
    word = PROTOCOLS.get(protocol, str(protocol))
    return key[:width], key[width : 2 * width], f"{word}/{port}" if port else word
