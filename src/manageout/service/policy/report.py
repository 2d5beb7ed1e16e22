"""What the policy tells people: rules by name, what is wrong, and what the packet filter has refused."""

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
from manageout.service.process.finding import Finding, finding
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
            yield finding("MANAGER-NAME", name=name, state=state)
    yield from _of_rules(troubles)
    yield from _of_tracking(features)


def _of_tracking(features: Features) -> Iterator[Finding]:
    count, limit = sysctl.find(conntrack.COUNT), sysctl.find(conntrack.MAXIMUM)
    if count and limit and int(count) > CROWDED * int(limit):
        yield finding("CONNECTIONS-FULL", count=count, limit=limit, parameter=conntrack.MAXIMUM)
    if not features.counts:
        yield finding("CONNECTIONS-UNLIMITED")
    if not features.timeouts:
        yield finding("CONNECTIONS-STAY")


def _of_rules(troubles: Troubles) -> Iterator[Finding]:
    if troubles.unloaded:
        yield finding("RULES-MISSING", why=troubles.unloaded)
    if troubles.unjudged:
        yield finding("RULES-UNJUDGED", why=troubles.unjudged)
    if troubles.removed:
        yield finding("RULES-REMOVED", times=counted(troubles.removed, "time"))
    if troubles.guarded:
        yield finding("FORWARDING-GUARDED", packets=counted(troubles.guarded, "packet"))
    if troubles.shared:
        yield finding("RULES-SHARED", why=troubles.shared)


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
