"""What goes to clients, so many of them in one turn of the loop: a multicast of one client is a record for each other.

Of 5,000 clients that would be 70 ms for which everybody's packets wait. What the kernel gives in one turn is for no
more clients than :data:`MOST`, and goes at once, so that nothing heaps up here that the kernel's queue would bound.
"""

from collections.abc import Callable, Sequence
from itertools import islice

MOST = 128
"""Clients that are sent to at once, if it is not for more."""
SLICE = 32
"""Clients of a turn where it is."""

Order = tuple[int, Sequence[bytes]]


class Turns:
    """``send`` sends to a client, by its number; ``soon`` has something called in the next turn."""

    def __init__(
        self, send: Callable[[int, Sequence[bytes]], None], soon: Callable[[Callable[[], None]], object]
    ) -> None:
        self._send, self._soon = send, soon
        self._later: dict[int, Sequence[bytes]] = {}

    def take(self, orders: Sequence[Order]) -> None:
        """Send these, the last of too many in later turns; what a client has to get it gets in order."""
        if len(orders) > MOST:
            for number, data in orders[SLICE:]:
                if not self._later:
                    self._soon(self._go_on)
                self._later[number] = [*self._later.get(number, ()), *data]
            orders = orders[:SLICE]
        for number, data in orders:
            self._send(number, [*self._later.pop(number), *data] if number in self._later else data)

    def finish(self, number: int) -> None:
        """A client is about to go: send what it has still to get."""
        if (data := self._later.pop(number, None)) is not None:
            self._send(number, data)

    def _go_on(self) -> None:
        for number in list(islice(self._later, SLICE)):
            self.finish(number)
        if self._later:
            self._soon(self._go_on)
