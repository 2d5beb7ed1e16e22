"""The steps that make hosts retire and come back: pilot, forward, undo. What they write, the router does.

Raises :class:`ManageoutError` where a step is refused; then nothing has changed.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from ipaddress import IPv4Network

from manageout.errors import ManageoutError
from manageout.retire import watch as retire_watch
from manageout.retire.judge import ready
from manageout.retire.members import EVERYBODY, Index, joined
from manageout.retire.retirement import Retirement
from manageout.service.process.rows import HostRow
from manageout.service.state.retire import LoggedStep, Member, RetireStore
from manageout.service.state.retire_phases import RetireStep, next_phase, require_age
from manageout.service.state.usage import Usage

SHOWN = 3


def widen(
    store: RetireStore,
    step: RetireStep,
    wanted: Mapping[str, Sequence[IPv4Network]],
    who: Retirement,
    hosts: Sequence[HostRow],
    usage: Sequence[Usage],
) -> LoggedStep:
    """More hosts retire: ``wanted`` by their waves. ``hosts`` and ``usage``: as they are now, for comparison."""
    phase = next_phase(store.phase(), step, whole=EVERYBODY in wanted)
    forced = _require_evidence(store, step, who)
    before = store.members()
    members = joined(before, wanted, who.now)
    new = members[len(before) :]
    if not new and EVERYBODY not in wanted:
        raise ManageoutError(f"{', '.join(wanted)}: retiring already", "`manageout retire watch` shows how")
    seen = retire_watch.Observation(members, store.found("verdict"), store.found("baseline"), hosts, usage)
    forced |= _require_well(seen, step, new, who)
    kept = {row["ipv4"]: row for row in seen.baseline} if before else {}
    rows = retire_watch.baseline(new, seen, who.now) | kept
    known, index = {row["ipv4"] for row in [*hosts, *store.found("host")]}, Index(members)
    told = sum(1 for text in known if index.get(text))
    figures = {"hosts": told, "networks": len(members), "chosen": ", ".join(wanted)}
    record = partial(store.record, step, phase, who.now, who.by, forced=forced)
    return record(figures=figures, found={retire_watch.BASELINE: rows}, members=members)


def _require_evidence(store: RetireStore, step: RetireStep, who: Retirement) -> bool:
    if step is RetireStep.PILOT:
        judged = store.last(RetireStep.JUDGE)
        age = min(judged.at, who.now) - judged.since + who.watched(judged.at) if judged else 0.0
    else:
        last = store.last(RetireStep.PILOT, RetireStep.FORWARD)
        age = who.watched(last.at) if last else 0.0
    return require_age(step, who.now - age, who.now, who.evidence_age, who.force)


def _require_well(
    seen: retire_watch.Observation, step: RetireStep, new: Sequence[Member], who: Retirement
) -> bool:
    """Refuse what would leave somebody without a way, and going on while something fails. True: forced."""
    chosen = Index(new)
    lost = [
        f"{row['ipv4']} ({row['name'] or 'no name'}): {next(iter(row['blockers']), 'nothing serves it')}"
        for row in seen.verdicts
        if not ready(row) and chosen.get(row["ipv4"])
    ]
    fails = []
    if step is RetireStep.FORWARD:
        before = [member for member in seen.members if member not in new]
        watched = retire_watch.observe(seen._replace(members=before), who.now)
        fails = [f"{each.ipv4} ({each.name or 'no name'}): {each.fails[0]}" for each in watched if each.fails]
    told = ((lost, "would be left without a way", "judge"), (fails, "fails since the last step", "watch"))
    for found, words, command in told:
        if found and not who.force:
            more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            hint = f"mend that first (`manageout retire {command}` lists all), or insist with --force"
            raise ManageoutError(f"{words}: {'; '.join(found[:SHOWN])}{more}", hint)
    return bool(lost or fails)


def undo(
    store: RetireStore, who: Retirement, restore: Callable[[], list[str]]
) -> tuple[LoggedStep, list[str]]:
    """Nobody retires any more, and what was removed is there again.

    ``restore`` brings names and policies back, and says what it could not; the hosts come back all the same.
    """
    phase = store.phase()
    after = next_phase(phase, RetireStep.UNDO)
    figures = {"members": len(store.members())}
    if not store.kept():
        return store.record(RetireStep.UNDO, after, who.now, who.by, figures=figures, members=[]), []
    # The hosts first: they wait for nobody else's server.
    entry = store.record(RetireStep.UNDO, phase, who.now, who.by, figures=figures, members=[])
    left = restore()
    if not left:
        entry = store.record(RetireStep.UNDO, after, who.now, who.by, figures=figures)
    return entry, left
