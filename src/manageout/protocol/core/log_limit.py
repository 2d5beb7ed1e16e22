"""Which lines about somebody may be written: nobody decides how fast the log grows but we."""

from collections import OrderedDict

from manageout.protocol.core.bucket import TokenBucket

MAX_SOURCES = 2048


class LogLimit:
    """A budget for each source and one for all of them; what does not fit is counted."""

    def __init__(self, rate: float, burst: float, each_rate: float, each_burst: float) -> None:
        """Lines a second and at once, in all and for each source."""
        self._all = TokenBucket(rate, burst)
        self._each = each_rate, each_burst
        self._sources: OrderedDict[str, TokenBucket] = OrderedDict()
        self._unsaid = 0

    def take(self, source: str, now: float) -> int | None:
        """How many were left out since the last line, if there may be one about ``source``; None: leave it out too."""
        budget = self._sources.pop(source, None) or TokenBucket(*self._each)
        self._sources[source] = budget
        if len(self._sources) > MAX_SOURCES:
            self._sources.popitem(last=False)
        if not (budget.take(now) and self._all.take(now)):
            self._unsaid += 1
            return None
        unsaid, self._unsaid = self._unsaid, 0
        return unsaid
