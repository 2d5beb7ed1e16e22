"""What outputs tell of which the collector holds nothing: ways, policies, logs, bindings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from manageout.doctor.facts import Facts, Filtered, Unreached
from manageout.doctor.rules.rule import Case, Severity, Theme

rule = Theme()


def _of(facts: Facts, *reasons: str) -> Iterator[tuple[Unreached, tuple[str, ...]]]:
    for one in facts.unreached:
        if one.reason in reasons:
            yield one, (one.quote, *((one.prefix.quote,) if one.prefix is not None else ()))


@rule("PATH-NO-ROUTE")
def no_route(facts: Facts) -> Iterator[Case]:
    """Destination net unreachable."""
    for one, seen in _of(facts, "net"):
        prefix = one.prefix.value if one.prefix is not None else None
        variant = "unnamed" if one.router is None else ""
        yield Case(seen, {"HOP": one.router, "PREFIX": prefix, "TARGET": one.target}, variant)


@rule("PATH-NO-NEIGHBOUR")
def no_neighbour(facts: Facts) -> Iterator[Case]:
    """Destination host unreachable, or words that are not known; where nobody is named it is the machine itself, which
    says little."""
    for one, seen in _of(facts, "host"):
        severity: Severity | None = "note" if one.router is None else None
        yield Case(seen, {"HOP": one.router, "TARGET": one.target}, severity=severity)


@rule("PATH-LOOP")
def loop(facts: Facts) -> Iterator[Case]:
    """TTL expired in transit, or a router that a trace comes to again."""
    for one, seen in _of(facts, "loop"):
        yield Case(seen, {"HOP": one.router, "TARGET": one.target})


@rule("PATH-SILENT")
def silent(facts: Facts) -> Iterator[Case]:
    """A trace that ends in three hops without an answer."""
    for one, seen in _of(facts, "silent"):
        yield Case(seen, {"HOP": one.router, "TARGET": one.target})


_OURS = re.compile(
    r"isatap|direct ?access|(?<![a-z])da(?![a-z])|manage.?out|ipv6|ip-?https|nrpt|tunnel|remote ?access", re.I
)
"""Names of policies that are about what is judged here."""


def _severity(one: Filtered) -> Severity | None:
    """Policies for others are denied everywhere."""
    return None if _OURS.search(one.name) else "note"


def _seen(one: Filtered) -> tuple[str, ...]:
    return (one.quote, f"groups: {one.groups}") if one.groups else (one.quote,)


@rule("POLICY-DENIED")
def denied(facts: Facts) -> Iterator[Case]:
    """By security filtering."""
    for one in facts.filtered:
        if one.reason == "security":
            yield Case(_seen(one), {"NAME": one.name}, severity=_severity(one))


@rule("POLICY-WMI")
def wmi(facts: Facts) -> Iterator[Case]:
    """By its WMI filter."""
    for one in facts.filtered:
        if one.reason == "wmi":
            yield Case((one.quote,), {"NAME": one.name}, severity=_severity(one))


@rule("POLICY-DISABLED")
def disabled(facts: Facts) -> Iterator[Case]:
    """The link or the policy is switched off, or it holds nothing for computers though its name is one of ours."""
    for one in facts.filtered:
        if one.reason in ("disabled", "empty") and _OURS.search(one.name):
            yield Case((one.quote,), {"NAME": one.name})
