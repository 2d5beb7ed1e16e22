"""Counts of dropped packets: exact in total, by source in bounded memory."""

from collections import OrderedDict
from typing import NamedTuple

from manageout.protocol.core.drops import Drop


class SourceDrops(NamedTuple):
    """How often one IPv4 source (4 bytes) met one reason; ``last``: monotonic time of the latest."""

    reason: Drop
    source: bytes
    times: int
    last: float


class DropTable:
    """Totals by reason, and by (reason, source) for the sources that were seen last."""

    def __init__(self, max_sources: int) -> None:
        self.totals: dict[Drop, int] = {}
        self.max_sources = max_sources
        self._sources: OrderedDict[tuple[Drop, bytes], tuple[int, float]] = OrderedDict()

    def count(self, reason: Drop, source: bytes, now: float, times: int = 1) -> None:
        """Note a drop; the source that was quiet for longest makes room."""
        self.totals[reason] = self.totals.get(reason, 0) + times
        key = (reason, source)
        known, _ = self._sources.pop(key, (0, 0.0))
        self._sources[key] = (known + times, now)
        while len(self._sources) > self.max_sources:
            self._sources.popitem(last=False)

    def by_source(self) -> list[SourceDrops]:
        """The latest first."""
        return [
            SourceDrops(reason, source, count, last)
            for (reason, source), (count, last) in reversed(self._sources.items())
        ]
