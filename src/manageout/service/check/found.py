"""What checks tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from manageout.errors import ManageoutError


class Remark(NamedTuple):
    """``note`` is worth knowing, ``warning`` will trouble somebody, ``error`` keeps the daemon from working."""

    severity: Literal["note", "warning", "error"]
    message: str
    remedy: str


def error(message: str, remedy: str) -> Remark:
    """What keeps the daemon from working."""
    return Remark("error", message, remedy)


def warning(message: str, remedy: str) -> Remark:
    """What will trouble somebody."""
    return Remark("warning", message, remedy)


def note(message: str, remedy: str = "") -> Remark:
    """What is worth knowing."""
    return Remark("note", message, remedy)


def gathered(ask: Callable[[], Iterable[Remark]]) -> list[Remark]:
    """What a check has found; when it could not go on, that comes last."""
    found: list[Remark] = []
    try:
        found.extend(ask())
    except ManageoutError as failure:
        found.append(error(failure.message, failure.hint))
    return found
