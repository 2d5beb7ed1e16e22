"""Connections that were refused: counted by reason and source, and told to the log within a budget."""

from __future__ import annotations

import logging
import threading
import time

from manageout.protocol.budget import Budget
from manageout.protocol.drop_table import DropTable, SourceDrops
from manageout.protocol.drops import Drop

MAX_SOURCES = 1024

log = logging.getLogger(__name__)


class Refusals:
    """May be told and asked by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._table = DropTable(MAX_SOURCES)
        self._words = Budget(rate=2.0, burst=20.0)
        self._unsaid = 0

    def count(self, drop: Drop, source: str) -> None:
        """Note one, without a line in the log."""
        with self._lock:
            self._table.count(drop, source.encode(), time.monotonic())

    def tell(self, drop: Drop, source: str, address: str, words: str) -> None:
        """Note one, with a line in the log if the budget allows: a stranger must not write the log at his own rate."""
        self.count(drop, source)
        with self._lock:
            if not self._words.take(time.monotonic()):
                self._unsaid += 1
                return
            unsaid, self._unsaid = self._unsaid, 0
        more = f" ({unsaid} more refusals before this one are not in the log)" if unsaid else ""
        log.info("client %s refused: %s%s", address, words, more)

    @property
    def totals(self) -> dict[Drop, int]:
        """Exact counts by reason."""
        with self._lock:
            return dict(self._table.totals)

    def by_source(self) -> list[SourceDrops]:
        """The latest first."""
        with self._lock:
            return self._table.by_source()
