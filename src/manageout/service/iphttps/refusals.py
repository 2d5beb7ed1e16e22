"""Connections that were refused: counted by reason and source, and told to the log within a budget."""

from __future__ import annotations

import threading
import time
from collections import Counter

from manageout.protocol.core.drop_table import DropTable, SourceDrops
from manageout.protocol.core.drops import Drop
from manageout.service.iphttps.log_limit import LimitedLog

MAX_SOURCES = 1024
MAX_CERTIFICATES = 1024


class Refusals:
    """May be told and asked by any thread."""

    def __init__(self, lines: LimitedLog | None = None) -> None:
        self._lock = threading.Lock()
        self._sources = DropTable(MAX_SOURCES)
        # Apart, so that a stranger with many certificates hides nobody's address.
        self._certificates = DropTable(MAX_CERTIFICATES)
        self._lines = lines or LimitedLog()

    def count(self, drop: Drop, source: str, certificate: str = "") -> None:
        """Note one, without a line in the log; ``certificate`` as it calls itself, if one was seen."""
        who = f"{source} {certificate}" if certificate else source
        with self._lock:
            table = self._certificates if certificate else self._sources
            table.count(drop, who.encode(), time.monotonic())

    def tell(self, drop: Drop, source: str, address: str, words: str, certificate: str = "") -> None:
        """Note one, with a line in the log if the budget allows: a stranger must not write the log at his own rate."""
        self.count(drop, source, certificate)
        whose = f" ({certificate})" if certificate else ""
        self._lines.say(source, None, f"{address} refused: {words}{whose}")

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
