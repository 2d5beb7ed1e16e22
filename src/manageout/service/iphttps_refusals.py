"""Connections that were refused: counted by reason and source, and told to the log within a budget."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter

from manageout.protocol.budget import Budget
from manageout.protocol.drop_table import DropTable, SourceDrops
from manageout.protocol.drops import Drop

MAX_SOURCES = 1024
MAX_CERTIFICATES = 1024

log = logging.getLogger(__name__)


class Refusals:
    """May be told and asked by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sources = DropTable(MAX_SOURCES)
        # Apart, so that a stranger with many certificates hides nobody's address.
        self._certificates = DropTable(MAX_CERTIFICATES)
        self._words = Budget(rate=2.0, burst=20.0)
        self._unsaid = 0

    def count(self, drop: Drop, source: str, certificate: str = "") -> None:
        """Note one, without a line in the log; ``certificate`` as it calls itself, if one was seen."""
        who = f"{source} {certificate}" if certificate else source
        with self._lock:
            table = self._certificates if certificate else self._sources
            table.count(drop, who.encode(), time.monotonic())

    def tell(self, drop: Drop, source: str, address: str, words: str, certificate: str = "") -> None:
        """Note one, with a line in the log if the budget allows: a stranger must not write the log at his own rate."""
        self.count(drop, source, certificate)
        with self._lock:
            if not self._words.take(time.monotonic()):
                self._unsaid += 1
                return
            unsaid, self._unsaid = self._unsaid, 0
        more = f" ({unsaid} more refusals before this one are not in the log)" if unsaid else ""
        whose = f" ({certificate})" if certificate else ""
        log.info("client %s refused: %s%s%s", address, words, whose, more)

    @property
    def totals(self) -> dict[Drop, int]:
        """Exact counts by reason."""
        with self._lock:
            totals = Counter(self._sources.totals)
            totals.update(self._certificates.totals)
            return dict(totals)

    def by_source(self) -> list[SourceDrops]:
        """By address, and where one was seen by address and certificate, with a space between them."""
        with self._lock:
            return self._certificates.by_source() + self._sources.by_source()
