"""Not to fight: a setting that others own too is put back a few times, then left as it is until it is right again."""

from collections import deque
from collections.abc import Hashable

TIMES = 3
MINUTE = 60.0


class Restraint:
    """For each key: :data:`TIMES` within a :data:`MINUTE`. Keys come from our own configuration, so there are few."""

    def __init__(self) -> None:
        self._done: dict[Hashable, deque[float]] = {}
        self._left: set[Hashable] = set()

    def may(self, key: Hashable, now: float) -> bool:
        """Whether to put it back once more, which then counts; when not, it is left from now on."""
        done = self._done.setdefault(key, deque(maxlen=TIMES))
        if key in self._left or (len(done) == TIMES and now - done[0] < MINUTE):
            self._left.add(key)
            return False
        done.append(now)
        return True

    def found_right(self, key: Hashable) -> None:
        """Somebody else has put it right: what happens next is looked at afresh, the last minute counting."""
        self._left.discard(key)

    def forget(self) -> None:
        """The administrator wants it as the file says: begin anew."""
        self._done.clear()
        self._left.clear()

    @property
    def left(self) -> frozenset[Hashable]:
        """What is left as it is."""
        return frozenset(self._left)
