"""A token bucket: how much may be done in a while, or caused by somebody (RFC 4443 2.4 (f) for ICMPv6 errors)."""


class TokenBucket:
    """``burst`` at once, ``rate`` a second on average."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._at = burst, 0.0

    def adjust(self, rate: float, burst: float) -> None:
        """Other limits from now on; what was taken stays taken."""
        self._left = max(0.0, self._left + burst - self._burst)
        self._rate, self._burst = rate, burst

    def left(self, now: float) -> float:
        """How much there is to take."""
        return min(self._burst, self._left + max(0.0, now - self._at) * self._rate)

    def full(self, now: float) -> bool:
        """Whether nothing was taken, or long ago."""
        return self.left(now) >= self._burst

    def drain(self, now: float) -> None:
        """Take 1, or what there is."""
        self._left, self._at = max(0.0, self.left(now) - 1), now

    def take(self, now: float, cost: float = 1.0) -> bool:
        """Use ``cost`` if so much is left; a cost above ``burst`` is met by a full bucket. A clock may go back."""
        self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._rate)
        self._at = now
        if self._left < min(cost, self._burst):
            return False
        self._left -= cost
        return True
