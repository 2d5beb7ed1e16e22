"""Commits of the lease store, one at a time in a thread of their own: a sync of the disk must not stop packets."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from manageout.service.state.leases import AuditRow, Changes, LeaseStore, StoredLease

RETRY = 1.0
"""Seconds until a commit that failed is tried again."""
MAX_UNSTORED = 100_000
"""Entries of the audit log that wait for a disk that refuses; then the oldest are lost."""


class CommitQueue:
    """Writes to ``store``; what fails is tried again until it works, together with what has come meanwhile.

    ``ended`` is called in the event loop after each attempt, with whether all that was given before it is on the disk.
    """

    def __init__(self, store: LeaseStore, ended: Callable[[bool], None]) -> None:
        self._store, self._ended = store, ended
        self._worker = ThreadPoolExecutor(1, "leases")
        self._retry: asyncio.TimerHandle | None = None
        self._changes: dict[bytes, StoredLease | None] = {}
        self._audit: list[AuditRow] = []
        self._closed = False
        self.running = False
        """A commit is under way: give nothing until it has ended."""
        self.lost = 0
        """Entries of the audit log that were too many."""

    @property
    def busy(self) -> bool:
        """Something is not yet stored."""
        return self.running or self._retry is not None

    def write(self, changes: Changes, audit: Sequence[AuditRow]) -> None:
        """Store this, now or with the next attempt."""
        self._changes.update(changes)
        self._audit += audit
        if (many := len(self._audit) - MAX_UNSTORED) > 0:
            del self._audit[:many]
            self.lost += many
        if self._retry is None:
            self._begin()

    def _begin(self) -> None:
        self.running, self._retry = True, None
        loop = asyncio.get_running_loop()

        def ended(done: asyncio.Future[None]) -> None:
            if self._closed:
                return
            self.running = False
            if (error := done.exception()) is None:
                self._changes, self._audit = {}, []
            else:
                self._retry = loop.call_later(RETRY, self._begin)
            self._ended(error is None)

        commit = loop.run_in_executor(self._worker, self._store.commit, self._changes, self._audit)
        commit.add_done_callback(ended)

    def close(self) -> tuple[Changes, list[AuditRow]]:
        """End with what is under way; nothing is tried again. What may not be stored."""
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
        self._worker.shutdown()
        return self._changes, self._audit
