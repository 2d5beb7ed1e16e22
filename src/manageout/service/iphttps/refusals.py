"""Connections that were refused: counted by reason and source, and told to the log within a budget.

So are all lines about connections: nobody outside decides how fast the log grows.
"""

import logging
import threading
import time
from collections import Counter

from manageout.protocol.core.drop_table import DropTable, SourceDrops
from manageout.protocol.core.drops import Drop
from manageout.protocol.core.log_limit import LogLimit

MAX_SOURCES = 1024
MAX_CERTIFICATES = 1024

log = logging.getLogger(__name__)


class LimitedLog:
    """Within budgets: one for strangers, by source, and one for clients with certificates, by name. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._strangers = LogLimit(rate=2.0, burst=20.0, each_rate=0.5, each_burst=10.0)
        # A restart may bring back a few hundred at once.
        self._clients = LogLimit(rate=20.0, burst=1000.0, each_rate=0.2, each_burst=10.0)

    def say(self, source: str, identity: str | None, text: str) -> None:
        """Write ``text`` if the budgets allow, with how many lines before it they did not."""
        lines = self._strangers if identity is None else self._clients
        with self._lock:
            unsaid = lines.take(source if identity is None else identity, time.monotonic())
        if unsaid is not None:
            more = f" ({unsaid} more such lines before this one are not in the log)" if unsaid else ""
            log.info("client %s%s", text, more)


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
