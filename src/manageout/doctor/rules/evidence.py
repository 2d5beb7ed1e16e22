"""The evidence itself: outputs before and after, clocks that cannot be, errors in its logs."""

from __future__ import annotations

from collections.abc import Iterator

from manageout.doctor.facts import Facts
from manageout.doctor.findings import rule

EARLIEST = 1_577_836_800.0
"""2020-01-01: the collector did not exist before."""
TOLERANCE = 600.0


@rule(
    "EVIDENCE-TWICE",
    "note",
    "one output is there more than once, and says different things",
    cause="The last one was judged, as the state of now; the ones before it were not.",
    remedy=("if they are of several machines: put each machine's name above its output, as in === NAME ===",),
)
def twice(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Two outputs of one command in a text."""
    if facts.replaced:
        yield tuple(facts.replaced)


@rule(
    "EVIDENCE-CLOCK",
    "warning",
    "the evidence was taken at a time that cannot be",
    cause="The clock of that machine, or of this one, is wrong: before 2020, or in the future.",
    remedy=("w32tm /query /status   (there)", "date   (here)"),
)
def clock(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Before the collector existed, or later than now."""
    if facts.clock is None or facts.read_at is None:
        return
    if not EARLIEST <= facts.clock.value <= facts.read_at + TOLERANCE:
        yield (facts.clock.quote,)


@rule(
    "ISATAP-EVENT-490",
    "error",
    "IP Helper could not set an address (error 0x490)",
    cause="The tunnel interfaces are switched off by DisabledComponents in the registry, mostly left by an old policy.",
    remedy=(
        r"reg query HKLM\SYSTEM\CurrentControlSet\Services\Tcpip6\Parameters /v DisabledComponents",
        "set it to 0 (or 0x20), restart, and look for the policy preference that sets it again",
    ),
)
def event_490(facts: Facts) -> Iterator[tuple[str, ...]]:
    """In the event log."""
    yield from ((line,) for line in facts.events if "0x490" in line)
