"""Findings, the rules that make them, and which findings are only consequences of others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal, NamedTuple

from manageout.doctor.facts import Facts

Severity = Literal["error", "warning", "note"]
MAX_QUOTES = 20
MAX_QUOTE = 400
"""Characters of a quote that are shown."""
_ORDER = {"error": 0, "warning": 1, "note": 2}


class Finding(NamedTuple):
    """One diagnosis. ``seen``: quoted evidence. ``remedy``: commands or steps, in order."""

    code: str
    severity: Severity
    title: str
    seen: tuple[str, ...]
    cause: str
    remedy: tuple[str, ...]
    computer: str = ""
    hidden: tuple[str, ...] = ()
    """Codes of findings that are consequences of this one, and so are not shown."""


class Rule(NamedTuple):
    """``look`` yields (quotes, cause or "" for the rule's own, remedy or () for the rule's own)."""

    code: str
    severity: Severity
    title: str
    cause: str
    remedy: tuple[str, ...]
    hides: frozenset[str]
    look: Callable[[Facts], Iterator[tuple[str, ...]]]


RULES: dict[str, Rule] = {}
"""Every rule by its code."""

Look = Callable[[Facts], Iterator[tuple[str, ...]]]


def rule(
    code: str, severity: Severity, title: str, *, cause: str, remedy: Sequence[str], hides: Iterable[str] = ()
) -> Callable[[Look], Look]:
    """Register a rule: a function from facts to the quotes of each case that it sees."""

    def register(look: Look) -> Look:
        if code in RULES:
            raise ValueError(f"{code} is there twice")
        RULES[code] = Rule(code, severity, title, cause, tuple(remedy), frozenset(hides), look)
        return look

    return register


SEEN_HERE = {
    "FILTER-BLOCKS": frozenset({"LIVE-FILTER-41", "LIVE-FILTER-TLS", "LIVE-FILTER-FORWARD"}),
    "FORWARDING-OFF": frozenset({"LIVE-FORWARDING"}),
}
"""What the daemon tells and the doctor sees by itself, with more words."""


def diagnose(machines: Sequence[Facts], rules: Iterable[Rule] | None = None) -> list[Finding]:
    """What is wrong with each machine, the worst first; a root cause silences its consequences there."""
    chosen = list(RULES.values() if rules is None else rules)
    found: list[Finding] = []
    for facts in machines:
        found += _without_consequences([f for one in chosen for f in _apply(one, facts)], chosen)
        codes = {finding.code for finding in found}
        found += [told for told in _told(facts) if not codes & SEEN_HERE.get(told.code, frozenset())]
    return sorted(found, key=lambda finding: (_ORDER[finding.severity], finding.computer, finding.code))


def _apply(one: Rule, facts: Facts) -> Iterator[Finding]:
    name = facts.computer or facts.source
    for found in islice(one.look(facts), MAX_QUOTES):
        quotes = tuple(quote[:MAX_QUOTE] for quote in found[:MAX_QUOTES])
        yield Finding(one.code, one.severity, one.title, quotes, one.cause, one.remedy, name)


def _told(facts: Facts) -> Iterator[Finding]:
    """What the machine's own daemon has found, in its words."""
    daemon = facts.live.daemon if facts.live is not None else None
    for code, severity, message, remedy in daemon.findings if daemon is not None else ():
        if not code:
            continue
        known: Severity = severity if severity in _ORDER else "warning"  # type: ignore[assignment]
        name = facts.computer or facts.source
        yield Finding(code, known, "the daemon has found something", (message,), "", (remedy,), name)


def _without_consequences(found: list[Finding], rules: Sequence[Rule]) -> list[Finding]:
    codes = {finding.code for finding in found}
    hides = {one.code: one.hides & codes for one in rules if one.code in codes}
    # A consequence hides its own consequences too, even when nobody sees it.
    for code in hides:
        while (more := frozenset().union(*(hides[each] for each in hides[code])) - {code}) - hides[code]:
            hides[code] |= more
    silent = set().union(*hides.values()) if hides else set()
    return [
        finding._replace(hidden=tuple(sorted(hides[finding.code])))
        for finding in found
        if finding.code not in silent
    ]
