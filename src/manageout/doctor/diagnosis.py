"""Facts -> what is wrong, by the rules; and which of it is only a consequence of something else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from manageout.doctor.facts import Facts
from manageout.doctor.rules.catalogue import RULES
from manageout.doctor.rules.evidence import gateway
from manageout.doctor.rules.rule import Case, Rule, Severity, Variant

MAX_QUOTES = 20
MAX_QUOTE = 400
"""Characters of a quote that are shown."""
_ORDER = {"error": 0, "warning": 1, "note": 2}


class Diagnosis(NamedTuple):
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


SEEN_HERE = {
    "FILTER-BLOCKS": frozenset({"LIVE-FILTER-41", "LIVE-FILTER-TLS", "LIVE-FILTER-FORWARD"}),
    "FORWARDING-OFF": frozenset({"LIVE-FORWARDING"}),
    "REVOCATION-LIST-ENDED": frozenset({"LIVE-CRL-EXPIRED"}),
    "REVOCATION-LIST-EXPIRES": frozenset({"LIVE-CRL-SOON"}),
    "CERTIFICATE-EXPIRED": frozenset({"LIVE-CERT-EXPIRED"}),
    "CERTIFICATE-EXPIRES": frozenset({"LIVE-CERT-SOON"}),
}
"""What the daemon tells and the doctor sees by itself, with more words."""


def diagnose(machines: Sequence[Facts], rules: Iterable[Rule] | None = None) -> list[Diagnosis]:
    """What is wrong with each machine, the worst first; a root cause silences its consequences there."""
    chosen = list(RULES.values() if rules is None else rules)
    found: list[Diagnosis] = []
    for facts in machines:
        found += _without_consequences([f for one in chosen for f in _apply(one, facts)], chosen)
        codes = {finding.code for finding in found}
        found += [told for told in _told(facts) if not codes & SEEN_HERE.get(told.code, frozenset())]
    return sorted(found, key=lambda finding: (_ORDER[finding.severity], finding.computer, finding.code))


def _apply(one: Rule, facts: Facts) -> Iterator[Diagnosis]:
    name = facts.computer or facts.source
    cases = (found if isinstance(found, Case) else Case(found) for found in one.look(facts))
    for case in islice((case for case in cases if case.seen), MAX_QUOTES):
        quotes = tuple(quote[:MAX_QUOTE] for quote in case.seen[:MAX_QUOTES])
        words = one.variants[case.variant] if case.variant else Variant()
        severity = case.severity or words.severity or one.severity
        remedy = case.remedy or one.steps({**own_names(facts), **case.names}, case.variant)
        yield Diagnosis(one.code, severity, one.title, quotes, words.cause or one.cause, remedy, name)


def own_names(facts: Facts) -> dict[str, object]:
    """The fields of every remedy."""
    return {"GATEWAY": gateway(facts), "ROUTER": _router(facts)}


def _router(facts: Facts) -> str:
    """Empty for the bare name: no remedy is to set it again."""
    router = facts.isatap_policy_router or facts.isatap_router
    if router is None or router.value.lower().partition(".")[0] == "isatap":
        return ""
    return router.value


def _told(facts: Facts) -> Iterator[Diagnosis]:
    """What the machine's own daemon has found, in its words."""
    daemon = facts.live.daemon if facts.live is not None else None
    for code, severity, message, remedy in daemon.findings if daemon is not None else ():
        if not code:
            continue
        known: Severity = severity if severity in _ORDER else "warning"  # type: ignore[assignment]
        name = facts.computer or facts.source
        yield Diagnosis(code, known, "the daemon has found something", (message,), "", (remedy,), name)


def _without_consequences(found: list[Diagnosis], rules: Sequence[Rule]) -> list[Diagnosis]:
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
