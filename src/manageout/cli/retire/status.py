"""``manageout retire status``: how far it is, who did what, and what comes next."""

import json
import time
from typing import Any, NamedTuple

import click

from manageout.cli.options import options
from manageout.cli.retire.options import member_row, said, with_retirement
from manageout.cli.show.output import ago, duration, moment
from manageout.cli.show.table import Column, table
from manageout.errors import ManageoutError
from manageout.retire.retirement import Retirement
from manageout.service.state.retire import LoggedStep, Member
from manageout.service.state.retire_phases import Phase, RetireStep, hint

FIGURES = {
    RetireStep.CENSUS: ("hosts", "seen in a week", "published names", "policies"),
    RetireStep.JUDGE: ("initiate", "only hold an address", "gone", "served by nothing yet"),
}
"""What is shown of a step's figures, where that is not all."""


class WayOut(NamedTuple):
    """How far a site is."""

    phase: Phase
    next: str
    watched: float
    """Seconds for which calls were watched."""
    evidence: float
    """Seconds that each step wants."""
    members: list[Member]
    entries: list[LoggedStep]


@click.command()
@options("retire.status")
@with_retirement
def status(retirement: Retirement, as_json: bool) -> None:
    """How far the way out of ISATAP has been gone, who did what, and what comes next."""
    store = retirement.store
    phase = store.phase()
    ages = _watched(retirement), retirement.evidence_age
    found = WayOut(phase, hint(phase), *ages, store.members(), store.entries())
    click.echo(json.dumps(_json(found)) if as_json else render_status(found, time.time()))


def _watched(retirement: Retirement) -> float:
    """A record of calls that cannot be read is no evidence, and keeps nobody from seeing the rest."""
    try:
        return retirement.watched(0.0)
    except ManageoutError:
        return 0.0


def _json(found: WayOut) -> dict[str, Any]:
    entries = [entry._asdict() for entry in found.entries]
    return found._asdict() | {"members": list(map(member_row, found.members)), "entries": entries}


def render_status(found: WayOut, now: float) -> str:
    """The phase, the log, who retires, what is next."""
    watched, evidence = duration(found.watched), duration(found.evidence)
    parts = [said("status", phase=found.phase, watched=watched, evidence=evidence)]
    if found.entries:
        parts.append(table(ENTRIES, found.entries, wide=False))
    if found.members:
        parts.append(table(_members(now), found.members))
    parts.append(f"Next: {found.next}")
    return "\n\n".join(parts)


def _result(entry: LoggedStep) -> str:
    shown = FIGURES.get(entry.step, tuple(entry.figures))
    return ", ".join(f"{name} {entry.figures[name]}" for name in shown if name in entry.figures)


ENTRIES: tuple[Column[LoggedStep], ...] = (
    Column("WHEN", lambda entry: moment(entry.at)),
    Column("STEP", lambda entry: entry.step + " (forced)" * entry.forced),
    Column("BY", lambda entry: entry.by),
    Column("RESULT", _result, fold=True),
)


def _members(now: float) -> tuple[Column[Member], ...]:
    return (
        Column("RETIRES", lambda each: str(each.network)),
        Column("CHOSEN AS", lambda each: each.wave),
        Column("SINCE", lambda each: ago(each.since, now), right=True),
    )
