"""What a change of this machine's network means for the tunnel's outer connection.

A connection is bound to the source address that it began with. When that has gone, or packets to the gateway now leave
by another device, it will carry nothing more, or no longer the best way: TCP would find out in minutes. When the way is
the same again after it was gone, or leads over another router, the connection may live: the gateway is asked.
"""

from collections.abc import Collection
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from manageout.protocol.core.bucket import TokenBucket

MOVES_PER_SECOND, MOVES_AT_ONCE = 0.5, 4.0
"""A way that flaps makes us connect anew, or ask, no more often."""
LATER = 2.0
"""Seconds until the next look when that is used up."""
ASLEEP = 2.0
"""Seconds that the clock of suspended time gains before the machine is taken to have slept."""

Address = IPv4Address | IPv6Address


class Way(NamedTuple):
    """How packets to the gateway leave this machine."""

    device: str
    source: Address | None
    via: Address | None


class Reaction(Enum):
    """What to do about the outer connection."""

    STAY = "stay"
    CHECK = "check"
    """Ask the gateway for a sign of life, and connect anew without one."""
    MOVE = "move"
    """Connect anew at once."""
    LATER = "later"
    """Enough for now: look again."""


class Uplink:
    """Remembers the way of the connection in use."""

    def __init__(self, local: Collection[str]) -> None:
        """``local``: devices whose way says nothing of the network, such as the tunnel's own and ``lo``."""
        self._local = local
        self._used: Way | None = None
        self._lost = False
        self._moves, self._checks = (TokenBucket(MOVES_PER_SECOND, MOVES_AT_ONCE) for _ in range(2))

    def connected(self, way: Way | None) -> None:
        """A connection was made over ``way``."""
        self._used, self._lost = way, False

    def changed(self, way: Way | None, own: Collection[Address], now: float) -> Reaction:
        """Something has changed: ``way`` is how packets would leave now (None: not at all), ``own`` our addresses."""
        used = self._used
        if used is None or used.device in self._local:
            return self._check(now)  # a proxy on this machine, for example: its way is not ours to see
        if way is None:
            self._lost = True
            return Reaction.STAY
        if way.device in self._local:
            return Reaction.STAY
        if way.device != used.device or (used.source is not None and used.source not in own):
            return Reaction.MOVE if self._moves.take(now) else Reaction.LATER
        if self._lost or way.via != used.via:
            verdict = self._check(now)
            if verdict is Reaction.CHECK:
                self._used, self._lost = way._replace(source=used.source), False
            return verdict
        return Reaction.STAY

    def _check(self, now: float) -> Reaction:
        return Reaction.CHECK if self._checks.take(now) else Reaction.LATER


class Sleep:
    """Tells that the machine was suspended, by two clocks of which one stood still."""

    def __init__(self, boottime: float, monotonic: float) -> None:
        """Two readings of the same moment: CLOCK_BOOTTIME and CLOCK_MONOTONIC."""
        self._apart = boottime - monotonic

    def slept(self, boottime: float, monotonic: float) -> bool:
        """Whether it was, since the last call."""
        before, self._apart = self._apart, boottime - monotonic
        return self._apart - before >= ASLEEP
