"""What checks tell. The words stand in remarks.toml."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, cast

from manageout.errors import ManageoutError
from manageout.service.process.finding import texts
from manageout.service.process.rows import Severity


class Remark(NamedTuple):
    """``note`` is worth knowing, ``warning`` will trouble somebody, ``error`` keeps the daemon from working."""

    severity: Severity
    message: str
    remedy: str


def remark(key: str, /, **values: object) -> Remark:
    """What remarks.toml says under ``key``, with ``values`` in the braces."""
    text = texts(__package__, "remarks.toml")[key]
    what, remedy = (text[each].format(**values) for each in ("what", "remedy"))
    return Remark(cast(Severity, text["severity"]), what, remedy)


def failed(failure: ManageoutError, whose: str = "") -> Remark:
    """What keeps the daemon from working, in the words of ``failure``."""
    return Remark("error", whose + failure.message, failure.hint)


def gathered(ask: Callable[[], Iterable[Remark]]) -> list[Remark]:
    """What a check has found; when it could not go on, that comes last."""
    found: list[Remark] = []
    try:
        found.extend(ask())
    except ManageoutError as failure:
        found.append(failed(failure))
    return found
