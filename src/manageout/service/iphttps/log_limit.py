"""Lines about connections in the log: nobody outside decides how fast it grows."""

from __future__ import annotations

import logging
import threading
import time

from manageout.protocol.core.log_limit import LogLimit

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
