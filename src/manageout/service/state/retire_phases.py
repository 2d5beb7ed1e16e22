"""The way out of ISATAP as a state machine (phases.toml): which step may follow which, how old its evidence must be.

    not begun -census-> counted -judge-> judged -pilot-> pilot -forward-> retired -remove-> removed
                                           ^---------------- undo ----------------------------'

A census and a judgement may be taken again at any time: after the pilot has begun they change no phase.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import cast

from manageout.errors import ManageoutError
from manageout.words import duration, toml_of

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


def _about(phase: Phase) -> Mapping[str, str]:
    return cast(Mapping[str, str], toml_of("manageout.service.state", "phases.toml")[phase])


def hint(phase: Phase) -> str:
    """What comes next."""
    return _about(phase)["hint"]


def next_phase(phase: Phase, step: RetireStep, whole: bool = False) -> Phase:
    """What ``step`` leads to. ``whole``: it goes forward with everybody. Raises :class:`ManageoutError`."""
    if (led := _about(phase).get(step)) is None:
        fault = f"{step} cannot follow here: the site is {_about(phase)['words']}"
        if step is RetireStep.UNDO:
            fault = "nothing to undo: nobody retires, and nothing is removed"
        raise ManageoutError(fault, f"next: {hint(phase)}")
    return Phase.RETIRED if whole and led == Phase.PILOT else Phase(led)


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
