"""Pilot, forward and undo: what is refused, what is kept."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from manageout.errors import ManageoutError
from manageout.retire.pilot import undo, widen
from manageout.service.state.retire import LoggedStep, RetireStore
from manageout.service.state.retire_phases import Phase, RetireStep
from manageout.service.state.usage import DAY, Usage

NOW = 20_000.5 * DAY
WEEK = 7.0 * DAY
A, B = [IPv4Network("10.0.1.30/32")], [IPv4Network("10.0.1.31/32")]
HOSTS: Any = [
    {"ipv4": f"10.0.1.{n}", "name": "", "rx_packets": n, "last_rs": NOW, "last_packet": 0} for n in (30, 31)
]


def verdict(ipv4: str, serves: str = "lease") -> dict[str, Any]:
    blockers = ["nothing serves tcp/22"] if serves == "nothing" else []
    return {
        "ipv4": ipv4,
        "name": "pc",
        "class": "initiates",
        "opens": [],
        "serves": serves,
        "blockers": blockers,
        "native": [],
    }


@pytest.fixture
def store(tmp_path: Path) -> RetireStore:
    """Judged, by calls of ten days."""
    made = RetireStore(tmp_path)
    verdicts = {each["ipv4"]: each for each in (verdict("10.0.1.30"), verdict("10.0.1.31", "nothing"))}
    made.record(RetireStep.CENSUS, Phase.COUNTED, NOW - DAY, "anna@router")
    made.record(
        RetireStep.JUDGE,
        Phase.JUDGED,
        NOW - DAY,
        "anna@router",
        since=NOW - 10 * DAY,
        found={"verdict": verdicts},
    )
    return made


def who(now: float = NOW, *, force: bool = False, watched: float | None = None) -> Any:
    """What a step asks of a retirement; ``watched``: seconds, else all since."""
    found = lambda since: max(0.0, now - since) if watched is None else watched  # noqa: E731
    return SimpleNamespace(by="anna@router", now=now, evidence_age=WEEK, force=force, watched=found)


def go(
    store: RetireStore,
    step: RetireStep,
    now: float = NOW,
    *,
    force: bool = False,
    usage: Any = (),
    **wanted: Any,
) -> LoggedStep:
    return widen(store, step, wanted, who(now, force=force), HOSTS, list(usage))


def test_a_pilot_keeps_who_and_how_it_was_before(store: RetireStore) -> None:
    entry = go(store, RetireStep.PILOT, helpdesk=A)
    assert (entry.phase, entry.forced, entry.figures["hosts"], entry.figures["chosen"]) == (
        Phase.PILOT,
        False,
        1,
        "helpdesk",
    )
    assert [(str(member.network), member.wave, member.since) for member in store.members()] == [
        ("10.0.1.30/32", "helpdesk", NOW)
    ]
    assert [(row["ipv4"], row["packets"]) for row in store.found("baseline")] == [("10.0.1.30", 30)]


def test_evidence_that_is_too_young_is_refused_unless_forced(store: RetireStore) -> None:
    young = NOW - 5 * DAY
    with pytest.raises(ManageoutError, match="pilot is refused"):
        go(store, RetireStep.PILOT, young, helpdesk=A)
    assert store.members() == []
    assert go(store, RetireStep.PILOT, young, force=True, helpdesk=A).forced


def test_a_clock_that_was_set_ahead_makes_no_evidence(store: RetireStore) -> None:
    def ahead(step: RetireStep, wanted: dict[str, Any], force: bool = False) -> LoggedStep:
        """Ninety days later by the clock, while calls were watched for five minutes."""
        somebody = who(NOW + 90 * DAY, force=force, watched=300.0)
        return widen(store, step, wanted, somebody, HOSTS, [])

    assert not ahead(RetireStep.PILOT, {"helpdesk": A}).forced  # nine days were watched before it was judged
    with pytest.raises(ManageoutError, match="forward is refused: its evidence is 5 minutes old"):
        ahead(RetireStep.FORWARD, {"rest": B})


def test_whoever_would_be_left_with_nothing_is_named(store: RetireStore) -> None:
    with pytest.raises(
        ManageoutError, match=r"without a way: 10.0.1.31 \(pc\): nothing serves tcp/22"
    ) as refusal:
        go(store, RetireStep.PILOT, group=[*A, *B])
    assert "retire judge" in refusal.value.hint
    assert store.phase() is Phase.JUDGED
    assert go(store, RetireStep.PILOT, force=True, group=[*A, *B]).forced


def test_the_same_again_is_refused(store: RetireStore) -> None:
    go(store, RetireStep.PILOT, helpdesk=A)
    with pytest.raises(ManageoutError, match="helpdesk: retiring already"):
        go(store, RetireStep.FORWARD, NOW + 8 * DAY, helpdesk=A)


def test_forward_wants_an_observed_pilot(store: RetireStore) -> None:
    go(store, RetireStep.PILOT, helpdesk=A)
    with pytest.raises(ManageoutError, match="forward is refused"):
        go(store, RetireStep.FORWARD, NOW + 6 * DAY, force=False, rest=B)
    entry = go(store, RetireStep.FORWARD, NOW + 8 * DAY, force=True, rest=B)
    assert entry.phase is Phase.PILOT
    rows = {row["ipv4"]: row["packets"] for row in store.found("baseline")}
    assert rows == {"10.0.1.30": 30, "10.0.1.31": 31}


def test_forward_is_refused_while_something_fails(store: RetireStore) -> None:
    go(store, RetireStep.PILOT, helpdesk=A)
    later = NOW + 8 * DAY
    fails = Usage(int(later // DAY), "10.0.1.30", "NAT46", "laptop", "tcp", 22, later, later, 3, 3, 0)
    with pytest.raises(ManageoutError, match=r"10.0.1.30 \(pc\): tcp/22 to laptop by NAT46") as refusal:
        go(store, RetireStep.FORWARD, later, usage=[fails], everybody=A)
    assert "retire watch" in refusal.value.hint


def test_everybody_is_the_end_of_it(store: RetireStore) -> None:
    go(store, RetireStep.PILOT, helpdesk=A)
    entry = go(store, RetireStep.FORWARD, NOW + 8 * DAY, force=True, everybody=[*A, *B])
    assert (entry.phase, len(store.members())) == (Phase.RETIRED, 2)
    assert store.members()[0].wave == "helpdesk"


def test_everybody_may_be_nobody_new(store: RetireStore) -> None:
    go(store, RetireStep.PILOT, helpdesk=A)
    assert go(store, RetireStep.FORWARD, NOW + 8 * DAY, everybody=A).phase is Phase.RETIRED


def test_undo_brings_the_judgement_back(store: RetireStore) -> None:
    go(store, RetireStep.PILOT, helpdesk=A)
    entry, left = undo(store, who(), lambda: pytest.fail("nothing was removed"))
    assert (entry.phase, left, store.members()) == (Phase.JUDGED, [], [])
    with pytest.raises(ManageoutError, match="nothing to undo"):
        undo(store, who(), list)


def test_undo_that_cannot_restore_brings_the_hosts_back_and_may_be_repeated(store: RetireStore) -> None:
    go(store, RetireStep.PILOT, helpdesk=A)
    store.keep("dns:a.example", [["A", 60, "10.0.0.1"]])
    entry, left = undo(store, who(), lambda: ["a.example: no answer"])
    assert (entry.phase, left, store.members()) == (Phase.PILOT, ["a.example: no answer"], [])
    entry, left = undo(store, who(), list)
    assert (entry.phase, left) == (Phase.JUDGED, [])


def test_a_pilot_after_an_undo_has_no_old_baseline(store: RetireStore) -> None:
    go(store, RetireStep.PILOT, helpdesk=A)
    undo(store, who(), list)
    HOSTS_LATER = [row | {"rx_packets": 99} for row in HOSTS]
    widen(store, RetireStep.PILOT, {"helpdesk": A}, who(), HOSTS_LATER, [])
    assert [row["packets"] for row in store.found("baseline")] == [99]
