"""What a role wants somebody to look at: told on demand, or on a board that tells the log as well.

Its words stand in findings.toml, which a process reads as it starts. docs/reference/findings.md explains
each code of it.
"""

import logging
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import NamedTuple, Self, cast

from manageout.protocol.core.bucket import TokenBucket
from manageout.service.process.rows import FindingRow, Severity

LINES, BURST = 0.2, 20.0
"""Lines of log a second, and at once: a card that comes and goes must not fill a disk."""

log = logging.getLogger(__name__)


class Finding(NamedTuple):
    """One of them. It becomes JSON at the control socket only; `doctor --live` reads it back from there."""

    code: str
    """Stable, in capitals: monitoring matches it."""
    severity: Severity
    what: str
    remedy: str
    about: str = ""
    """Tells those with the same code on a :class:`Board` apart, if ``what`` does not; it is not shown."""

    def shown(self) -> FindingRow:
        """For the control socket."""
        return {"code": self.code, "severity": self.severity, "what": self.what, "remedy": self.remedy}

    @classmethod
    def of(cls, row: object) -> Self:
        """As read from another process, whatever that says."""
        found = row if isinstance(row, dict) else {}
        code, severity, what, remedy = (str(found.get(field, "")) for field in FindingRow.__annotations__)
        return cls(code, cast(Severity, severity), what, remedy)


@cache
def texts(package: str = __package__, file: str = "findings.toml") -> dict[str, dict[str, str]]:
    """Severity, what and remedy by key."""
    return tomllib.loads(files(package).joinpath(file).read_text(encoding="utf-8"))


def finding(key: str, /, about: str = "", **values: object) -> Finding:
    """What findings.toml says under ``key``, a code or ``CODE.variant``; ``about`` and ``values`` fill the braces."""
    code = key.partition(".")[0]
    text = texts().get(code, {}) | texts()[key]
    code, what, remedy = (each.format(about=about, **values) for each in (code, text["what"], text["remedy"]))
    return Finding(code, cast(Severity, text["severity"]), what, remedy, about)


class Board:
    """The rows that stand, by the part of the look that found them. The log hears of what comes and what goes."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[tuple[str, str], Finding]] = {}
        self._lines = TokenBucket(LINES, BURST)
        self._unsaid = 0

    def show(self, part: str, rows: Iterable[Finding], now: float) -> None:
        """``rows`` are all that ``part`` has found now."""
        before = self._parts.get(part, {})
        after = {(row.code, row.about or row.what): row for row in rows}
        self._parts[part] = after
        for key, row in after.items():
            if key not in before:
                level = logging.ERROR if row.severity == "error" else logging.WARNING
                self.say(level, f"{row.code}: {row.what} ({row.remedy})", now)
        for key, row in before.items():
            if key not in after:
                self.say(logging.INFO, f"{row.code}: {row.about or row.what} is right again", now)

    def say(self, level: int, text: str, now: float) -> None:
        """A line in the log, unless there were too many."""
        if not self._lines.take(now):
            self._unsaid += 1
            return
        if self._unsaid:
            log.warning("%d lines about changes of this machine's network were left out", self._unsaid)
            self._unsaid = 0
        log.log(level, "%s", text)

    def findings(self) -> list[Finding]:
        """All of them."""
        return [row for part in self._parts.values() for row in part.values()]
