"""Commits of the lease store, one at a time in a thread of their own: a sync of the disk must not stop packets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from manageout.service.lease_store import AuditRow, Changes, LeaseStore
from manageout.words import said

RETRY = 1.0
"""Seconds until a commit that failed is tried again."""


class LeaseWriter:
    """Writes to ``store``. One commit is under way at most; what fails is tried again until it works."""

    def __init__(self, store: LeaseStore) -> None:
        self._store = store
        self._worker = ThreadPoolExecutor(1, "leases")
        self._retry: asyncio.TimerHandle | None = None
        self.busy = False
        self.failing = ""
        """What the database says, while it refuses."""

    def write(self, changes: Changes, audit: Sequence[AuditRow], then: Callable[[], None]) -> None:
        """Begin a commit; ``then`` is called in the event loop when it is on the disk. Not while :attr:`busy`."""
        self.busy = True
        self._retry = None
        loop = asyncio.get_running_loop()

        def ended(done: asyncio.Future[None]) -> None:
            error = done.exception()
            if error is None:
                self.busy, self.failing = False, ""
                then()
            else:
                self.failing = said(error)
                self._retry = loop.call_later(RETRY, self.write, changes, audit, then)

        loop.run_in_executor(self._worker, self._store.commit, changes, audit).add_done_callback(ended)

    def close(self) -> None:
        """End with what is under way; nothing is tried again."""
        if self._retry is not None:
            self._retry.cancel()
        self._worker.shutdown()
