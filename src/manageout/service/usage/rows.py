"""Calls of managers, summed up in a bounded number of rows a day until they are written. Pure."""

from collections.abc import Iterable

from manageout.service.state.usage import DAY, Usage

PER_MANAGER, MAX_KEYS = 256, 50_000
"""Rows a day: of one manager, of all of them."""
MANY = "*"

Key = tuple[str, str, str, str, int]
"""Manager, way, client, protocol, port."""


class UsageRows:
    """What was not yet written. ``today``: the rows that stand there for the day of ``now``."""

    def __init__(self, now: float, today: Iterable[Key]) -> None:
        self._day = int(now // DAY)
        self._known = 0
        self._keys: dict[str, set[Key]] = {}
        self._pending: dict[tuple[str | int, ...], Usage] = {}
        for key in today:
            self._within_bounds(key)

    def __len__(self) -> int:
        return len(self._pending)

    def began(self, key: Key, at: float) -> None:
        """A connection."""
        day = int(at // DAY)
        if day > self._day:
            self._day, self._keys, self._known = day, {}, 0
        self._add(Usage(day, *self._within_bounds(key), at, at, 1, 0, 0))

    def ended(self, key: Key, begun: float, answered: bool, size: int) -> None:
        """One that began at ``begun``."""
        day = int(begun // DAY)
        place = self._within_bounds(key) if day == self._day else key
        self._add(Usage(day, *place, begun, begun, 0, 0 if answered else 1, size))

    def take(self) -> list[Usage]:
        """Everything, to be written. Rows without calls only add to what is written already."""
        rows, self._pending = list(self._pending.values()), {}
        return rows

    def give_back(self, rows: list[Usage]) -> None:
        """They could not be written; as many as fit are kept."""
        for row in rows[: max(0, MAX_KEYS - len(self._pending))]:
            self._add(row)

    def _within_bounds(self, key: Key) -> Key:
        keys = self._keys.get(key[0], set())
        if key in keys:
            return key
        if self._known >= MAX_KEYS:
            return MANY, key[1], MANY, key[3], 0
        if len(keys) >= PER_MANAGER:
            return key[0], key[1], MANY, key[3], 0
        self._keys.setdefault(key[0], keys).add(key)
        self._known += 1
        return key

    def _add(self, row: Usage) -> None:
        old = self._pending.get(row[:6])
        self._pending[row[:6]] = row if old is None else merged(old, row)


def merged(one: Usage, other: Usage) -> Usage:
    """Both in one row."""
    return one._replace(
        first=min(one.first, other.first),
        last=max(one.last, other.last),
        calls=one.calls + other.calls,
        unanswered=one.unanswered + other.unanswered,
        bytes=one.bytes + other.bytes,
    )
