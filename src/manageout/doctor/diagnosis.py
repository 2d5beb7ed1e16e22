"""Facts -> what is wrong, by the rules; and which of it is only a consequence of something else."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from manageout.doctor.facts import Facts, Role
from manageout.doctor.rules.catalogue import RULES
from manageout.doctor.rules.evidence import gateway
from manageout.doctor.rules.rule import Case, Rule, Severity, Variant

MAX_QUOTES = 20
MAX_BESIDE = 32
"""Other machines that a rule may look at."""
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
    """What is wrong with each machine, the worst first; a root cause silences its consequences there, and stands before
    what it may have led to elsewhere."""
    chosen = list(RULES.values() if rules is None else rules)
    found: list[Diagnosis] = []
    machines = [
        replace(one, beside=tuple(b for b in machines if b is not one)[:MAX_BESIDE]) for one in machines
    ]
    for facts in machines:
        causes = [f for one in chosen if one.code not in _LAST for f in _apply(one, facts)]
        found += _without_consequences(causes, chosen)
        codes = {finding.code for finding in found}
        found += [told for told in _told(facts) if not codes & SEEN_HERE.get(told.code, frozenset())]
    if all(finding.severity == "note" for finding in found):
        told = list(found)
        found += [left for facts in machines for left in _left(facts, chosen, told)]
    return sorted(found, key=_place)


def _place(finding: Diagnosis) -> tuple[int, bool, str, str]:
    """The worst first, and why something fails before that it does, on whichever machine."""
    rule = RULES.get(finding.code)
    symptom = rule is not None and rule.symptom
    return _ORDER[finding.severity], symptom, finding.computer, finding.code


_ROLES: dict[Role, str] = {"server": "a DirectAccess server", "client": "a DirectAccess client"}
"""Those by which rules judge that nobody may have named."""
_LAST = frozenset({"PATH-UNANSWERED"})
"""What is told only where nothing else is found."""
_LACKS = frozenset({"SERVER-NO-ISATAP"})
"""What is seen by what is not there: any other machine lacks it too."""


def _left(facts: Facts, rules: Sequence[Rule], told: Sequence[Diagnosis]) -> Iterator[Diagnosis]:
    """Where nothing is wrong: what was read of a text, and no rule has judged. What fails is no health only because
    nobody asks about it, nor is what would be a fault on a machine of some role when nobody says which it has."""
    evidence = next((one for one in rules if one.code == "EVIDENCE"), None)
    if evidence is None or facts.sections or facts.live is not None:
        return
    last = [finding for one in rules if one.code in _LAST for finding in _apply(one, facts)]
    yield from last
    codes, quoted = {one.code for one in told}, {quote for one in (*told, *last) for quote in one.seen}
    failed = tuple(quote for quote in _failed(facts) if quote[:MAX_QUOTE] not in quoted)
    yield from _cases(evidence, facts, [Case(failed, variant="open")])
    follows = any(one.gateways for one in facts.of_kind("isatap"))  # as a manager's does
    if facts.role == "unknown" and not follows:
        yield from _cases(evidence, facts, [Case(tuple(_supposed(facts, rules, codes)), variant="role")])


def _failed(facts: Facts) -> Iterator[str]:
    yield from (look.quote for look in facts.lookups if look.error and not look.addresses)
    yield from (reached.quote for reached in facts.tcp.values() if not reached.value)
    yield from (seen.quote for seen in facts.unreached)
    yield from (seen.quote for seen in facts.ike)


def _supposed(facts: Facts, rules: Sequence[Rule], told: set[str]) -> Iterator[str]:
    for role, words in _ROLES.items():
        supposed = replace(facts, role=role)
        found = [finding for one in rules if one.code not in _LAST for finding in _apply(one, supposed)]
        for finding in _without_consequences(found, rules):
            if finding.severity != "note" and finding.code not in _LACKS | told:
                yield f"on {words}: {finding.title}: {finding.seen[0]}"


def _apply(one: Rule, facts: Facts) -> Iterator[Diagnosis]:
    """Cases with the same words are one finding, with how many they are."""
    alike: dict[tuple[object, ...], list[Diagnosis]] = {}
    for each in _cases(one, facts, one.look(facts)):
        alike.setdefault((each.severity, each.cause, len(each.remedy)), []).append(each)
    yield from (_grouped(each) for each in alike.values())


def _grouped(alike: list[Diagnosis]) -> Diagnosis:
    """The steps stay in order: the first ones of all, then the second ones."""
    if len(alike) == 1:
        return alike[0]
    seen = dict.fromkeys(quote for one in alike for quote in one.seen)
    steps = dict.fromkeys(step for same in zip(*(one.remedy for one in alike), strict=True) for step in same)
    title = f"{alike[0].title} ({len(alike)} times)"
    return alike[0]._replace(title=title, seen=tuple(seen)[:MAX_QUOTES], remedy=tuple(steps))


def _cases(one: Rule, facts: Facts, looked: Iterable[tuple[str, ...] | Case]) -> Iterator[Diagnosis]:
    name = facts.computer or facts.source
    cases = (found if isinstance(found, Case) else Case(found) for found in looked)
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
    return "" if router is None or router.value.lower().partition(".")[0] == "isatap" else router.value


def _told(facts: Facts) -> Iterator[Diagnosis]:
    """What the machine's own daemon has found, in its words."""
    daemon = facts.live.daemon if facts.live is not None else None
    name, title = facts.computer or facts.source, "the daemon has found something"
    for code, severity, message, remedy in daemon.findings if daemon is not None else ():
        known: Severity = severity if severity in _ORDER else "warning"  # type: ignore[assignment]
        if code:
            yield Diagnosis(code, known, title, (message,), "", (remedy,), name)


def _without_consequences(found: list[Diagnosis], rules: Sequence[Rule]) -> list[Diagnosis]:
    codes = {finding.code for finding in found}
    hides = {one.code: one.hides & codes for one in rules if one.code in codes}
    # A consequence hides its own consequences too, even when nobody sees it.
    for code in hides:
        while (more := frozenset().union(*(hides[each] for each in hides[code])) - {code}) - hides[code]:
            hides[code] |= more
    silent = set().union(*hides.values()) if hides else set()
    shown = (finding for finding in found if finding.code not in silent)
    return [finding._replace(hidden=tuple(sorted(hides[finding.code]))) for finding in shown]
