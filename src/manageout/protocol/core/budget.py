"""How many things may be done in a while: ICMPv6 errors (RFC 4443 2.4 (f)), lines in the log."""

from __future__ import annotations


class Budget:
    """A token bucket: ``burst`` at once, ``rate`` a second on average."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = burst, 0.0

    def adjust(self, rate: float, burst: float) -> None:
        """Other limits from now on; what was taken stays taken."""
        self._tokens = max(0.0, self._tokens + burst - self._burst)
        self._rate, self._burst = rate, burst

    def take(self, now: float) -> bool:
        """Whether one more may be done."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
