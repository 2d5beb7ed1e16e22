"""The five verbs that every protocol machine has, all alike.

A driver calls them in this order after each input and re-arms one timer::

    machine.receive(data, source, now)       # or on_timer(now)
    for destination, data in machine.transmit(): ...
    for event in machine.events(): ...
    arm(machine.timer())

``now`` is in seconds, monotonic, and only ever an argument. ``transmit`` and ``events`` empty what they return.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

Endpoint = TypeVar("Endpoint")
Event_co = TypeVar("Event_co", covariant=True)


class Machine(Protocol, Generic[Endpoint, Event_co]):
    """A protocol without I/O."""

    def receive(self, data: bytes, source: Endpoint, now: float) -> None:
        """Take one datagram (or a stretch of a stream) from ``source``."""

    def on_timer(self, now: float) -> None:
        """Time has passed: do everything that is due at ``now``."""

    def timer(self) -> float | None:
        """When :meth:`on_timer` wants to be called next, or None."""

    def transmit(self) -> Sequence[tuple[Endpoint, bytes]]:
        """What is to be sent, in order."""

    def events(self) -> Sequence[Event_co]:
        """What the driver should know or do."""
