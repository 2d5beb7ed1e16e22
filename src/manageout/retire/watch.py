"""How hosts fare that retire: who let go, who still sends, what fails, what serves them now. Pure.

From the router's registry, from the record of connections, and from what both said when they began to retire: the
*baseline*, rows of the kind :data:`BASELINE` in the store.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from ipaddress import IPv4Address
from typing import NamedTuple

from manageout.retire.members import Index
from manageout.retire.rows import Baseline, HostVerdict, service_name
from manageout.service.process.rows import DropRow, HostRow
from manageout.service.state.retire import Member
from manageout.service.state.usage import DAY, Usage

BASELINE = "baseline"
SETTLE = 45.0
"""Seconds in which a host hears three times that it retires; what it sends until then counts for nothing."""
ISATAP = "ISATAP"
SKEW = 60.0
"""Seconds by which what another process says may lie in the future; what lies beyond says nothing for a host."""
HALF = 0.5
"""Of the attempts to reach a service must stay without answer to call that failing."""

Service = tuple[str, str, int]
"""Client, protocol, port."""


class HostState(StrEnum):
    """What is known of one host."""

    TOLD = "being told"
    SENDS = "still sends"
    SILENT = "not heard"
    """No sign of life since: switched off, perhaps."""
    LET_GO = "let go"


class Flow(NamedTuple):
    """What a host has opened to one service of one client since it retires, one way."""

    way: str
    client: str
    protocol: str
    port: int
    calls: int
    unanswered: int
    last: float

    def __str__(self) -> str:
        return f"{service_name(self.protocol, self.port)} to {self.client} by {self.way}"


class Watched(NamedTuple):
    """One host."""

    ipv4: str
    name: str
    wave: str
    since: float
    state: HostState
    packets: int
    """Through the router since it retires."""
    last_packet: float
    still: tuple[Flow, ...]
    """Opened by ISATAP although it was told."""
    served: tuple[Flow, ...]
    """Opened another way, and answered."""
    fails: tuple[Flow, ...]
    """Not answered, and was before."""
    refused: tuple[str, ...]
    """Reasons for which its packets were dropped."""
    untried: int
    """Services that it used before and has not tried since."""


class Observation(NamedTuple):
    """Everything that is looked at."""

    members: Sequence[Member]
    verdicts: Sequence[HostVerdict]
    baseline: Sequence[Baseline]
    hosts: Sequence[HostRow]
    """The router's registry, as ``manageout hosts --json`` shows it."""
    usage: Sequence[Usage]
    drops: Sequence[DropRow] = ()


def observe(seen: Observation, now: float) -> list[Watched]:
    """Every host that retires and is known, in the order of their addresses."""
    verdicts = {row["ipv4"]: row for row in seen.verdicts}
    aliases = {text: row["ipv4"] for row in seen.verdicts for text in row["native"]}
    usage: dict[str, list[Usage]] = {}
    for each in seen.usage:
        usage.setdefault(aliases.get(each.manager, each.manager), []).append(each)
    hosts = {row["ipv4"]: row for row in seen.hosts}
    baseline = {row["ipv4"]: row for row in seen.baseline}
    members = Index(seen.members)
    found = []
    for text in {*hosts, *verdicts, *usage}:
        member = members.get(text)
        if member is not None:
            host = _Host(text, member, hosts.get(text), verdicts.get(text), baseline.get(text))
            found.append(host.watched(usage.get(text, []), seen.drops, now))
    return sorted(found, key=lambda each: int(IPv4Address(each.ipv4)))


def baseline(members: Iterable[Member], seen: Observation, now: float) -> dict[str, Baseline]:
    """What is to be kept of hosts that begin to retire: their counters, and what they did today."""
    index, today = Index(members), int(now // DAY)
    calls: dict[str, list[tuple[str, str, str, int, int, int]]] = {}
    for row in seen.usage:
        if row.day == today:
            flow = row.way, row.client, row.protocol, row.port, row.calls, row.unanswered
            calls.setdefault(row.manager, []).append(flow)
    packets = {row["ipv4"]: row["rx_packets"] for row in seen.hosts}
    return {
        text: Baseline(ipv4=text, day=today, packets=packets.get(text, 0), calls=calls.get(text, []))
        for text in {*packets, *calls}
        if index.get(text) is not None
    }


def figures(found: Iterable[Watched]) -> dict[str, int]:
    """How many hosts, by what is said of them."""
    found = list(found)
    states = Counter(each.state for each in found)
    return {
        "hosts": len(found),
        **{state.replace(" ", "_"): states[state] for state in HostState},
        "served": sum(1 for each in found if each.served),
        "failing": sum(1 for each in found if each.fails),
    }


class _Host(NamedTuple):
    ipv4: str
    member: Member
    host: HostRow | None
    verdict: HostVerdict | None
    kept: Baseline | None

    def watched(self, usage: Sequence[Usage], drops: Iterable[DropRow], now: float) -> Watched:
        host, verdict, settled = self.host, self.verdict, self.member.since + SETTLE
        before, after = self._split(usage)
        packets = max(0, (host["rx_packets"] if host else 0) - (self.kept["packets"] if self.kept else 0))
        last = host["last_packet"] if host else 0.0
        still = tuple(flow for flow in after if flow.way == ISATAP and flow.last > settled)
        fails = tuple(flow for flow in after if _fails(flow, before))
        past = [flow for flow in after if flow.last <= now + SKEW]  # the future speaks against, never for
        served = tuple(flow for flow in past if flow.way != ISATAP and flow.calls > flow.unanswered)
        opened = verdict["opens"] if verdict else []
        used = {(each["client"], each["protocol"], each["port"]) for each in opened}
        own = (row for row in drops if row["source"] == self.ipv4 and (row["last"] or 0) > settled)
        refused = tuple(f"{row['reason']} ({row['count']})" for row in own)
        name = (host and host["name"]) or (verdict["name"] if verdict else "")
        sends = bool(still) or (packets > 0 and last > settled)
        state = HostState.SENDS if sends else self._state(bool(past), now)
        untried = len(used - {flow[1:4] for flow in after})
        member = (self.member.wave, self.member.since)
        return Watched(self.ipv4, name, *member, state, packets, last, still, served, fails, refused, untried)

    def _state(self, active: bool, now: float) -> HostState:
        """Of a host that does not send by ISATAP any more."""
        if now < self.member.since + SETTLE:
            return HostState.TOLD
        signs = (self.host["last_packet"], self.host["last_rs"]) if self.host else ()
        alive = any(self.member.since <= sign <= now + SKEW for sign in signs)
        return HostState.LET_GO if alive or active else HostState.SILENT

    def _split(self, usage: Sequence[Usage]) -> tuple[dict[Service, tuple[int, int]], list[Flow]]:
        """Calls and unanswered ones to each service before, and the flows since."""
        since, today = self.member.since, self.kept and self.kept["day"]
        known = {tuple(row[:4]): (row[4], row[5]) for row in (self.kept["calls"] if self.kept else ())}
        before: Counter[tuple[Service, bool]] = Counter()
        after: dict[tuple[str, str, str, int], tuple[int, int, float]] = {}
        for row in usage:
            key = (row.way, row.client, row.protocol, row.port)
            calls, unanswered = row.calls, row.unanswered
            past = (0, 0) if row.last >= since else (calls, unanswered)
            if row.day == today and row.last >= since:
                past = known.get(key, (0, 0))
            before[key[1:], True] += past[0]
            before[key[1:], False] += past[1]
            if row.last >= since and calls > past[0]:
                made, silent, last = after.get(key, (0, 0, 0.0))
                silent += max(0, unanswered - past[1])
                after[key] = made + calls - past[0], silent, max(last, row.last)
        services = {service for service, _ in before}
        flows = [Flow(*key, *sums) for key, sums in sorted(after.items())]
        return {each: (before[each, True], before[each, False]) for each in services}, flows


def _fails(flow: Flow, before: Mapping[Service, tuple[int, int]]) -> bool:
    """Unanswered now; what was not answered before either is no fault of the retirement."""
    calls, unanswered = before.get((flow.client, flow.protocol, flow.port), (0, 0))
    was_well = not calls or unanswered < HALF * calls
    return flow.unanswered >= HALF * flow.calls and flow.unanswered > 0 and was_well
