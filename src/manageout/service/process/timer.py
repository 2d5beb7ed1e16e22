"""When a machine wants to be called: one call of the loop, set anew only when that changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Timer:
    """Calls ``action`` once at the time that :meth:`at` was told last, by :func:`time.monotonic`."""

    def __init__(self, action: Callable[[], object]) -> None:
        self._action = action
        self._due: float | None = None
        self._handle: asyncio.TimerHandle | None = None

    def at(self, due: float | None) -> None:
        """Call then; a time that has passed means at once, None not at all."""
        if due == self._due:
            return
        self.cancel()
        if due is not None:
            self._due = due
            delay = max(0.0, due - time.monotonic())
            self._handle = asyncio.get_running_loop().call_later(delay, self._call)

    def cancel(self) -> None:
        """Not at all."""
        if self._handle is not None:
            self._handle.cancel()
        self._due = self._handle = None

    def _call(self) -> None:
        self._due = self._handle = None
        self._action()
