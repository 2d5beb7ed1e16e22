"""Rules about a running Linux machine: how they are registered, and what their quotes have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from manageout.doctor.facts import Facts
from manageout.doctor.findings import Severity, rule
from manageout.service.probe.results import Live

Look = Callable[[Live], Iterator[tuple[str, ...]]]
NAMES = (
    "LIVE-NAME-MISSING",
    "LIVE-NAME-BLOCKED",
    "LIVE-NAME-DIFFERS",
    "LIVE-NAME-ASTRAY",
    "LIVE-RECORD-MISSING",
    "LIVE-RECORD-STALE",
    "LIVE-RECORD-PTR",
    "LIVE-DAEMON-WAITING",
)
"""What cannot be told while no name server answers."""
ADVERTISED = ("LIVE-ROUTER-NO-PREFIX", "LIVE-ROUTER-NO-ROUTE", "LIVE-ROUTER-OTHER-PREFIX")


def live_rule(
    code: str, severity: Severity, title: str, *, cause: str, remedy: Sequence[str], hides: Iterable[str] = ()
) -> Callable[[Look], Look]:
    """Like :func:`manageout.doctor.findings.rule`, for a function that looks at a running machine."""

    def register(look: Look) -> Look:
        def over(facts: Facts) -> Iterator[tuple[str, ...]]:
            if facts.live is not None:
                yield from look(facts.live)

        rule(code, severity, title, cause=cause, remedy=remedy, hides=hides)(over)
        return look

    return register


def day(moment: float) -> str:
    """Unix seconds -> a date and time, UTC; whatever number somebody wrote."""
    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return f"{moment:g}"
