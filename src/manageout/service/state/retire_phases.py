"""The way out of ISATAP as a state machine: which step may follow which, and how old its evidence must be. Pure.

    not begun -census-> counted -judge-> judged -pilot-> pilot -forward-> retired -remove-> removed
                                           ^---------------- undo ----------------------------'

A census and a judgement may be taken again at any time: after the pilot has begun they change no phase.
"""

from __future__ import annotations

from enum import StrEnum

from manageout.errors import ManageoutError
from manageout.words import duration

EVIDENCE_AGE = 7 * 86400


class RetireStep(StrEnum):
    """What is noted in the log."""

    CENSUS = "census"
    JUDGE = "judge"
    PILOT = "pilot"
    FORWARD = "forward"
    REMOVE = "remove"
    UNDO = "undo"


class Phase(StrEnum):
    """Where a site is on its way."""

    NOT_BEGUN = "not begun"
    COUNTED = "counted"
    JUDGED = "judged"
    PILOT = "pilot"
    RETIRED = "retired"
    """Every host is told to let go."""
    REMOVED = "removed"
    """Names and policies are gone too."""


_AFTERWARDS = (Phase.PILOT, Phase.RETIRED, Phase.REMOVED)
NEXT: dict[tuple[Phase, RetireStep], Phase] = {
    **{(phase, RetireStep.CENSUS): Phase.COUNTED for phase in (Phase.NOT_BEGUN, Phase.COUNTED, Phase.JUDGED)},
    **{(phase, RetireStep.CENSUS): phase for phase in _AFTERWARDS},
    **{(phase, RetireStep.JUDGE): Phase.JUDGED for phase in (Phase.COUNTED, Phase.JUDGED)},
    **{(phase, RetireStep.JUDGE): phase for phase in _AFTERWARDS},
    (Phase.JUDGED, RetireStep.PILOT): Phase.PILOT,
    (Phase.PILOT, RetireStep.PILOT): Phase.PILOT,
    (Phase.PILOT, RetireStep.FORWARD): Phase.PILOT,
    **{(phase, RetireStep.REMOVE): Phase.REMOVED for phase in (Phase.RETIRED, Phase.REMOVED)},
    **{(phase, RetireStep.UNDO): Phase.JUDGED for phase in _AFTERWARDS},
}
HINTS = {
    Phase.NOT_BEGUN: "manageout retire census",
    Phase.COUNTED: "manageout retire judge",
    Phase.JUDGED: "manageout retire pilot GROUP|NETWORK|HOST",
    Phase.PILOT: "manageout retire watch, then manageout retire forward (or undo)",
    Phase.RETIRED: "manageout retire watch, then manageout retire remove (or undo)",
    Phase.REMOVED: "nothing; manageout retire undo brings everything back",
}
"""What comes next."""


def next_phase(phase: Phase, step: RetireStep, whole: bool = False) -> Phase:
    """What ``step`` leads to. ``whole``: it goes forward with everybody. Raises :class:`ManageoutError`."""
    try:
        return Phase.RETIRED if whole and NEXT[phase, step] is Phase.PILOT else NEXT[phase, step]
    except KeyError:
        if step is RetireStep.UNDO:
            raise ManageoutError(
                "nothing to undo: nobody retires, and nothing is removed", f"next: {HINTS[phase]}"
            ) from None
        raise ManageoutError(
            f"{step} cannot follow here: the site is {_words(phase)}", f"next: {HINTS[phase]}"
        ) from None


def require_age(step: RetireStep, since: float, now: float, wanted: float, force: bool) -> bool:
    """Refuse ``step`` while what it rests upon is observed for less than ``wanted`` seconds.

    ``since``: when the observation began. True: it was too young, and forced.
    """
    age = max(0.0, now - since)
    if age >= wanted:
        return False
    if not force:
        raise ManageoutError(
            f"{step} is refused: its evidence is {duration(age)} old and should be {duration(wanted)}",
            f"wait {duration(wanted - age)}, or insist with --force (that is noted)",
        )
    return True


def _words(phase: Phase) -> str:
    return {
        Phase.NOT_BEGUN: "not counted yet",
        Phase.COUNTED: "counted, not judged",
        Phase.JUDGED: "judged, without a pilot",
        Phase.PILOT: "in its pilot",
        Phase.RETIRED: "retired",
        Phase.REMOVED: "through with it",
    }[phase]
