"""Findings, the rules that make them, and which findings are only consequences of others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

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


class Case(NamedTuple):
    """What a rule has seen once. ``names``: what stands in the remedies instead of a word such as N or PREFIX;
    ``cause``, ``remedy``, ``severity``: of this case, when they are not the rule's own."""

    seen: tuple[str, ...]
    names: Mapping[str, object] = {}
    cause: str = ""
    remedy: tuple[str, ...] = ()
    severity: Severity | None = None


Look = Callable[[Facts], Iterator[tuple[str, ...] | Case]]


class Rule(NamedTuple):
    """``look`` yields the quotes of each case that it sees, or a :class:`Case`."""

    code: str
    severity: Severity
    title: str
    cause: str
    remedy: tuple[str, ...]
    hides: frozenset[str]
    look: Look


RULES: dict[str, Rule] = {}
"""Every rule by its code."""


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
    "REVOCATION-LIST-ENDED": frozenset({"LIVE-CRL-EXPIRED"}),
    "REVOCATION-LIST-EXPIRES": frozenset({"LIVE-CRL-SOON"}),
    "CERTIFICATE-EXPIRED": frozenset({"LIVE-CERT-EXPIRED"}),
    "CERTIFICATE-EXPIRES": frozenset({"LIVE-CERT-SOON"}),
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
        case = found if isinstance(found, Case) else Case(found)
        quotes = tuple(quote[:MAX_QUOTE] for quote in case.seen[:MAX_QUOTES])
        remedy = _filled(case.remedy or one.remedy, {**_own_names(facts), **case.names})
        yield Finding(
            one.code, case.severity or one.severity, one.title, quotes, case.cause or one.cause, remedy, name
        )


def gateway(facts: Facts) -> str:
    """The host in the IP-HTTPS URL, lower case; empty without one."""
    try:
        return (facts.iphttps_url and urlsplit(facts.iphttps_url.value).hostname) or ""
    except ValueError:
        return ""


def _own_names(facts: Facts) -> dict[str, object]:
    """What every remedy may name."""
    return {"GATEWAY": gateway(facts), "ROUTER": _router(facts)}


def _router(facts: Facts) -> str:
    """Empty for the bare name: no remedy is to set it again."""
    router = facts.isatap_policy_router or facts.isatap_router
    if router is None or router.value.lower().partition(".")[0] == "isatap":
        return ""
    return router.value


_TOKEN = re.compile(r"[A-Za-z0-9_{][\w.:/{}*+-]{0,254}", re.ASCII)
_QUOTABLE = re.compile(r"[A-Za-z0-9_{][\w .:,/{}()*+-]{0,254}", re.ASCII)
"""What may stand between the double quotes of a command. Remedies are copied into a console that runs as
administrator: in place of a name with anything else the word stays."""


def _filled(remedy: tuple[str, ...], names: Mapping[str, object]) -> tuple[str, ...]:
    """The machine's own names and numbers in place of the words that stand for them."""
    texts = {
        word: str(value)
        for word, value in names.items()
        if value is not None and _QUOTABLE.fullmatch(str(value))
    }
    if not texts:
        return remedy
    words = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, texts))})(?![\w-])")

    def fit(match: re.Match[str]) -> str:
        text, around = texts[match[1]], match.string[max(0, match.start() - 1) : match.end() + 1]
        return text if _TOKEN.fullmatch(text) or around == f'"{match[1]}"' else match[1]

    return tuple(words.sub(fit, step) for step in remedy)


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
