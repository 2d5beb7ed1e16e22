"""The record of who opens connections to clients, read from outside: by commands, daemon or no daemon."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from manageout.errors import ManageoutError, NotPermitted

FILE = "usage.db"
DAY = 86400
SAME_RUN = 60.0
"""Seconds: a restart that takes no longer is no gap."""

COLUMNS = "day, manager, way, client, protocol, port, first, last, calls, unanswered, bytes"
_ROWS = f"SELECT {COLUMNS} FROM usage WHERE last >= ? ORDER BY manager, way, client, protocol, port, day"  # noqa: S608 - a constant
_DAYS = """
SELECT day, way, count(DISTINCT manager), sum(calls), sum(bytes) FROM usage GROUP BY day, way ORDER BY day, way
"""
_RUNS = "SELECT begun, ended FROM runs ORDER BY begun"


class Usage(NamedTuple):
    """What one manager has opened to one service of one client on one day."""

    day: int
    """Since 1970, in UTC."""
    manager: str
    """IPv4 address, or IPv6 address where it has no other."""
    way: str
    """``ISATAP``, ``NAT46`` (by lease) or ``IPv6``."""
    client: str
    """Name in its certificate, or its address where only that is known; ``*``: more clients than are listed."""
    protocol: str
    port: int
    """0: none, or more than are listed."""
    first: float
    last: float
    """When a connection last began. Unix seconds, as all times here."""
    calls: int
    """Connections that began."""
    unanswered: int
    """Those of them that ended without any answer."""
    bytes: int
    """Both ways, of connections that have ended."""


class Day(NamedTuple):
    """One day, one way."""

    day: int
    way: str
    managers: int
    calls: int
    bytes: int


class UsageFile:
    """The file in ``directory``. Every method raises :class:`ManageoutError`."""

    def __init__(self, directory: Path, name: str = FILE) -> None:
        self.path = directory / name

    def rows(self, since: float = 0.0) -> Iterator[Usage]:
        """Rows with a connection that began at ``since`` or later."""
        return map(Usage._make, self._read(_ROWS, since))

    def days(self) -> list[Day]:
        """For a chart."""
        return list(map(Day._make, self._read(_DAYS)))

    def runs(self) -> list[tuple[float, float]]:
        """When connections were watched: from, until."""
        return [(begun, ended) for begun, ended in self._read(_RUNS)]

    def watched(self, now: float, since: float = 0.0) -> float:
        """For how many seconds between ``since`` and ``now`` connections were watched, all together.

        By the time that passed: a run ends where somebody sets the clock. What lies in the future is no evidence. Until
        a moment ago counts as until now, because the daemon notes that it goes on only so often.
        """
        runs = [(begun, now if 0 <= now - ended <= SAME_RUN else ended) for begun, ended in self.runs()]
        return sum(max(0.0, min(ended, now) - max(begun, since)) for begun, ended in runs)

    def _read(self, query: str, *values: object) -> Iterator[Any]:
        try:
            if not self.path.exists():
                raise ManageoutError(
                    f"there is no {self.path}: nobody has watched who opens connections",
                    "run the daemon, with daemon.usage_days above 0; --state-dir is daemon.state_dir of the file",
                )
            uri = f"{self.path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=5.0)) as db:
                yield from db.execute(query, values)
        except PermissionError:
            raise NotPermitted(f"not permitted to read {self.path}", "run as root") from None
        except sqlite3.Error as error:
            if "unable to open" in str(error):
                raise NotPermitted(f"not permitted to read {self.path}", "run as root") from None
            raise ManageoutError(f"{self.path} cannot be read: {error}", "see the daemon's log") from None
