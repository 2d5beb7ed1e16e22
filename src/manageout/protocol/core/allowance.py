"""A token bucket: how much of something a party may cause."""

from __future__ import annotations


class Allowance:
    """Refills at ``rate`` a second up to ``burst``."""

    __slots__ = ("_at", "_left", "burst", "rate")

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self._left = burst
        self._at = 0.0

    def take(self, now: float, cost: float = 1.0) -> bool:
        """Use ``cost`` of it if there is any left; a cost above ``burst`` is met by a full bucket."""
        self._left = min(self.burst, self._left + max(0.0, now - self._at) * self.rate)
        self._at = now
        if self._left < min(cost, self.burst):
            return False
        self._left -= cost
        return True
