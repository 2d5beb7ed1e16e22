"""Names and when each is due: the first is found without a look at the others."""

from heapq import heapify, heappop, heappush

SPARE = 1000
"""Rows of times that no longer count which are kept whatever the number of names."""


class Dues:
    """A heap; of those due at the same time the one that was set first is the first."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[float, int, str]] = {}
        """In the order in which they were set."""
        self._heap: list[tuple[float, int, str]] = []
        """Also rows that are void: their names have another one, or none, by now."""
        self._number = 0

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def set(self, name: str, when: float) -> None:
        """``name`` is due at ``when``, whatever was said before."""
        if name in self._rows and self._rows[name][0] == when:
            return
        self._number += 1
        self.discard(name)
        row = self._rows[name] = (when, self._number, name)
        heappush(self._heap, row)
        if len(self._heap) > SPARE + 2 * len(self._rows):
            self._heap = list(self._rows.values())
            heapify(self._heap)

    def discard(self, name: str) -> None:
        """It is not due any more."""
        self._rows.pop(name, None)

    def first(self) -> float | None:
        """When the first is due; None: there is none."""
        while self._heap and self._rows.get(self._heap[0][2]) is not self._heap[0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> str | None:
        """The first, if it is due; it is not any more then."""
        due = self.first()
        if due is None or due > now:
            return None
        _, _, name = heappop(self._heap)
        del self._rows[name]
        return name

    def hasten(self, now: float) -> None:
        """All of them are due now."""
        for name in list(self._rows):
            self.set(name, now)
