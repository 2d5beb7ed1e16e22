"""When a client tries again ([MS-IPHTTPS] 3.1.2.1, 3.1.6)."""

from __future__ import annotations

from collections.abc import Callable

JITTER = 0.1
"""Up to so much is added to each wait, so that a fleet does not return in lockstep. Not in the specification."""


class Reconnect:
    """Waits between attempts: the first at once after 30 s, then as long as failures have lasted, to 15 min.

    With attempts that fail at once: 30, 30, 60, 120, 240, 480, 900, 900 s.
    """

    def __init__(self, random: Callable[[], float], first: float = 30.0, last: float = 900.0) -> None:
        """``random``: 0.0 <= x < 1.0; ``first`` and ``last``: bounds of a wait without jitter, seconds."""
        self._random = random
        self._first, self._last = first, last
        self._since: float | None = None

    def failed(self, now: float) -> float:
        """An attempt failed, or a connection was lost: seconds until the next attempt."""
        if self._since is None:
            self._since = now
        wait = min(max(now - self._since, self._first), self._last)
        return wait * (1 + JITTER * self._random())

    def succeeded(self) -> None:
        """A connection was made: the next failure is a first one."""
        self._since = None
