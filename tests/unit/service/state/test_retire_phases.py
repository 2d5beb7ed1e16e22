"""Which step may follow which, and that young evidence is refused."""

from __future__ import annotations

import pytest

from manageout.errors import ManageoutError
from manageout.service.state.retire_phases import Phase, RetireStep, next_phase, require_age
from manageout.words import duration

DAY = 86400.0


def test_the_way_out_and_back() -> None:
    phase = Phase.NOT_BEGUN
    for step, whole, wanted in (
        (RetireStep.CENSUS, False, Phase.COUNTED),
        (RetireStep.JUDGE, False, Phase.JUDGED),
        (RetireStep.PILOT, False, Phase.PILOT),
        (RetireStep.CENSUS, False, Phase.PILOT),
        (RetireStep.JUDGE, False, Phase.PILOT),
        (RetireStep.FORWARD, False, Phase.PILOT),
        (RetireStep.FORWARD, True, Phase.RETIRED),
        (RetireStep.CENSUS, False, Phase.RETIRED),
        (RetireStep.REMOVE, False, Phase.REMOVED),
        (RetireStep.UNDO, False, Phase.JUDGED),
    ):
        phase = next_phase(phase, step, whole)
        assert phase is wanted


@pytest.mark.parametrize(
    ("phase", "step"),
    [
        (Phase.NOT_BEGUN, RetireStep.JUDGE),
        (Phase.NOT_BEGUN, RetireStep.PILOT),
        (Phase.COUNTED, RetireStep.PILOT),
        (Phase.JUDGED, RetireStep.FORWARD),
        (Phase.JUDGED, RetireStep.UNDO),
        (Phase.PILOT, RetireStep.REMOVE),
        (Phase.RETIRED, RetireStep.FORWARD),
        (Phase.REMOVED, RetireStep.FORWARD),
    ],
)
def test_a_step_out_of_turn_is_refused_with_the_one_that_fits(phase: Phase, step: RetireStep) -> None:
    with pytest.raises(
        ManageoutError, match="nothing to undo" if step is RetireStep.UNDO else f"{step} cannot follow here"
    ) as refusal:
        next_phase(phase, step)
    assert refusal.value.hint


def test_a_new_census_after_a_judgement_wants_a_new_judgement() -> None:
    assert next_phase(Phase.JUDGED, RetireStep.CENSUS) is Phase.COUNTED


def test_young_evidence_is_refused_with_the_time_that_is_left() -> None:
    with pytest.raises(ManageoutError, match="judge is refused: its evidence is 2 days old") as refusal:
        require_age(RetireStep.JUDGE, 0, 2 * DAY, 7 * DAY, force=False)
    assert "wait 5 days" in refusal.value.hint


def test_force_is_told_apart_from_evidence_that_is_old_enough() -> None:
    assert require_age(RetireStep.JUDGE, 0, 2 * DAY, 7 * DAY, force=True)
    assert not require_age(RetireStep.JUDGE, 0, 7 * DAY, 7 * DAY, force=True)
    assert not require_age(RetireStep.JUDGE, 0, 0, 0, force=False)


def test_a_clock_that_was_set_back_makes_no_evidence() -> None:
    with pytest.raises(ManageoutError, match="0 seconds old"):
        require_age(RetireStep.JUDGE, 5 * DAY, DAY, 7 * DAY, force=False)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 seconds"), (1, "1 second"), (90, "2 minutes"), (3600, "1 hour"), (7 * DAY, "7 days")],
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text
