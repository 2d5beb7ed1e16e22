"""When a client tries again, and how long it waits for an answer: our own way, and the specification's.

The specification's ([MS-IPHTTPS] 3.1.2.1, 3.1.6) begins at 30 s and goes to 15 min, so that a gateway that was away
for a second is missed for half a minute. Ours is back within four seconds of the gateway's being ready, for
:data:`QUICK_FOR` seconds after the loss; what cannot mend itself soon is tried slowly.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

JITTER = 0.1
"""Up to so much is added to a long wait, so that a fleet does not return in lockstep. Not in the specification."""
QUICK = (0.5, 1.0, 1.5)
"""Waits after the first failures, seconds; the last one goes on."""
SPREAD = 1 / 3
"""A quick wait is so much shorter or longer: the clients of a killed gateway all lose it at the same moment."""
QUICK_FOR = 600.0
"""Seconds after the first failure in a row during which tries are quick."""
SLOW = 15.0
"""The wait after that, and after a refusal, seconds."""
REFUSED = 60.0
"""The wait after refusals for more than ``QUICK_FOR`` seconds."""
PATIENCE, MORE_PATIENCE, SLOW_PATIENCE = 2.0, 3.0, 10.0
"""Seconds for an answer: at first, after an attempt that nobody answered, and between slow waits."""
TALK_PATIENCE, MOST_TALK_PATIENCE, SLOW_TALK_PATIENCE = 3.5, 10.0, 20.0
"""The same for the gateway's words once TCP has answered, doubled after each attempt that got none. Hundreds of clients
may be waiting in the same queue: who leaves it early has wasted the gateway's work, and comes again at its end.
"""
BRIEF = 10.0
"""A connection that ended earlier than this was no success."""
BRIEF_ALLOWED = 3
"""After so many in a row waits double: another machine with our certificate takes the connection away each time."""
LONGEST_RETURN = 10.0
"""A gateway that stops may ask for no longer a wait."""
UNANSWERED_ALLOWED = 3
"""So many connections in a row may end without a word; then it is taken for a refusal (a certificate, in TLS 1.3)."""


class Reconnect(ABC):
    """Waits between attempts."""

    patience = SLOW_PATIENCE
    """Seconds that the next attempt waits for an answer of anybody: a name server, TCP."""
    talk_patience = SLOW_TALK_PATIENCE
    """Seconds that it waits for the gateway's words, or a proxy's."""

    def __init__(self, random: Callable[[], float]) -> None:
        """``random``: 0.0 <= x < 1.0."""
        self._random = random
        self._since: float | None = None
        self.restart()

    @abstractmethod
    def failed(self, now: float, spent: float = 0.0, refused: bool = False) -> float:
        """An attempt failed after ``spent`` seconds, or a connection was lost: seconds until the next attempt.

        ``refused``: it was answered, by something that will say the same next time.
        """

    def succeeded(self, now: float) -> None:
        """A connection was made."""
        self.restart()

    def restart(self) -> None:
        """The next failure is a first one: the user, or this machine's network, begins anew."""
        self._since = None


class StockReconnect(Reconnect):
    """The specification's: the first at once after 30 s, then as long as failures have lasted, to 15 min.

    With attempts that fail at once: 30, 30, 60, 120, 240, 480, 900, 900 s.
    """

    FIRST, LAST = 30.0, 900.0
    """Bounds of a wait without jitter, seconds."""

    def failed(self, now: float, spent: float = 0.0, refused: bool = False) -> float:
        """See :class:`Reconnect`."""
        if self._since is None:
            self._since = now
        return min(max(now - self._since, self.FIRST), self.LAST) * (1 + JITTER * self._random())


class QuickReconnect(Reconnect):
    """Ours. An attempt that nobody answered has waited already: its ``spent`` seconds count."""

    def restart(self) -> None:
        """See :class:`Reconnect`."""
        super().restart()
        self._tries = 0
        self._up: float | None = None
        self._brief = 0
        self.patience, self.talk_patience = PATIENCE, TALK_PATIENCE

    def succeeded(self, now: float) -> None:
        """See :class:`Reconnect`."""
        self._up = now
        self.patience, self.talk_patience = PATIENCE, TALK_PATIENCE

    def failed(self, now: float, spent: float = 0.0, refused: bool = False) -> float:
        """See :class:`Reconnect`."""
        if self._up is not None:
            self._note_end(now - self._up)
        since = self._since = now if self._since is None else self._since
        slow = now - since >= QUICK_FOR
        self.patience = SLOW_PATIENCE if slow else MORE_PATIENCE if spent >= PATIENCE else PATIENCE
        silent = TALK_PATIENCE <= self.talk_patience <= spent
        talk = min(self.talk_patience * 2, MOST_TALK_PATIENCE) if silent else TALK_PATIENCE
        self.talk_patience = SLOW_TALK_PATIENCE if slow else talk
        if refused or slow:
            return (REFUSED if refused and slow else SLOW) * (1 + JITTER * self._random())
        step = QUICK[min(self._tries, len(QUICK) - 1)] * 2.0 ** max(0, self._brief - BRIEF_ALLOWED)
        self._tries += 1
        wait = step * (1 - SPREAD + 2 * SPREAD * self._random())
        return min(SLOW, max(wait - spent, step * SPREAD * self._random()))

    def _note_end(self, lasted: float) -> None:
        self._up = None
        if lasted >= BRIEF:
            self.restart()
        else:
            self._brief += 1
