"""The wall clock, held against the monotonic one: time that is evidence must have passed, not been set."""

import time
from collections.abc import Callable, Iterator

from manageout.service.process.finding import Finding, finding
from manageout.words import duration

TOLERATED = 10.0
"""Seconds by which the clock may be set without a word: a correction at the start, a leap second."""
SHOWN_FOR = 86400.0


class SteadyClock:
    """Unix time that goes on steadily from where the wall clock was, until :meth:`look` finds that this was set."""

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall, self._steady = wall, steady
        self._since = wall(), steady()
        self._jump: tuple[float, float, float] | None = None
        """By how much, and when by both clocks."""
        self.ahead = 0.0
        """By how much the clock was set ahead in all."""

    def now(self) -> float:
        """The time at which this clock began, and what has passed since."""
        wall, steady = self._since
        return wall + self._steady() - steady

    def look(self) -> float:
        """Seconds by which the wall clock was set since the last look; then go on from what it says. Else 0.

        A machine that slept looks the same: that time was not watched either.
        """
        wall, steady = self._wall(), self._steady()
        jump = wall - (self._since[0] + steady - self._since[1])
        if abs(jump) <= TOLERATED:
            return 0.0
        self._since = wall, steady
        self._jump = jump, wall, steady
        self.ahead += max(0.0, jump)
        return jump

    def findings(self) -> Iterator[Finding]:
        """For a day."""
        if self._jump is not None and self._steady() - self._jump[2] < SHOWN_FOR:
            jump, wall, _ = self._jump
            moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(wall))
            where = "ahead" if jump > 0 else "back"
            yield finding("CLOCK-JUMPED", where=where, by=duration(abs(jump)), moment=moment)
