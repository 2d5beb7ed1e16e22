"""The evidence itself: mixed machines, clocks that cannot be, errors in its logs."""

from __future__ import annotations

from collections.abc import Iterator

from manageout.doctor.facts import Facts
from manageout.doctor.findings import rule

EARLIEST = 1_577_836_800.0
"""2020-01-01: the collector did not exist before."""
TOLERANCE = 600.0


@rule(
    "EVIDENCE-MIXED",
    "warning",
    "evidence of several machines in one text",
    cause="Only that of the first machine was judged.",
    remedy=("give a file, or a folder, for each machine",),
)
def mixed(facts: Facts) -> Iterator[tuple[str, ...]]:
    """ipconfig of another host name."""
    if facts.others:
        yield (f"ipconfig of {facts.computer}", *(seen.quote for seen in facts.others))


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
