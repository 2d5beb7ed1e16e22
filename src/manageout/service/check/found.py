"""What checks tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from manageout.errors import ManageoutError

Found = tuple[Literal["note", "warning", "error"], str, str]
"""The fields of a :class:`Finding`."""


class Finding(NamedTuple):
    """``note`` is worth knowing, ``warning`` will trouble somebody, ``error`` keeps the daemon from working."""

    severity: Literal["note", "warning", "error"]
    message: str
    remedy: str


def gathered(ask: Callable[[], Iterable[Found]]) -> list[Finding]:
    """What a check has found; when it could not go on, that comes last."""
    found: list[Finding] = []
    try:
        found.extend(Finding(*each) for each in ask())
    except ManageoutError as error:
        found.append(Finding("error", error.message, error.hint))
    return found
