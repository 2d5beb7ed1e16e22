"""From connections and the addresses bound on them to who is here, and by which address. Pure.

An identity may have several connections: the machine came back before its old one was known to be dead. One of
its global addresses is the stable one: the fixed one, else that of the last time, else what it was a moment ago,
else the one bound first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

LINK_LOCAL = b"\xfe\x80"


class Attendee(NamedTuple):
    """One identity that is here."""

    address: bytes
    """The stable one."""
    others: tuple[bytes, ...]
    peer: str
    transport: str
    since: float


@dataclass(slots=True)
class _Connection:
    identity: str
    peer: str
    transport: str
    addresses: dict[bytes, None] = field(default_factory=dict)


@dataclass(slots=True)
class _Visit:
    since: float
    last_time: bytes
    address: bytes = b""
    connections: dict[int, _Connection] = field(default_factory=dict)


class Attendance:
    """All that are here. Methods that change something return the identity that is concerned, or None."""

    def __init__(self) -> None:
        self.fixed: Mapping[str, bytes] = {}
        """Identity -> its fixed IPv6 address."""
        self._connections: dict[int, _Connection] = {}
        self._visits: dict[str, _Visit] = {}
        self._anonymous: set[int] = set()

    @property
    def anonymous(self) -> int:
        """How many connections are here without an identity."""
        return len(self._anonymous)

    def identities(self) -> list[str]:
        """Those with at least one connection, the first come first."""
        return list(self._visits)

    def connections(self) -> list[int]:
        """The numbers of all connections."""
        return [*self._connections, *self._anonymous]

    def opened(
        self, number: int, identity: str | None, peer: str, transport: str, now: float, last_time: bytes = b""
    ) -> None:
        """A connection has begun; ``last_time``: the stable address of an earlier visit."""
        if identity is None:
            self._anonymous.add(number)
            return
        connection = self._connections[number] = _Connection(identity, peer, transport)
        visit = self._visits.get(identity)
        if visit is None:
            visit = self._visits[identity] = _Visit(now, last_time)
        visit.connections[number] = connection

    def bound(self, number: int, address: bytes) -> str | None:
        """The connection holds one more address."""
        connection = self._connections.get(number)
        if connection is None or address.startswith(LINK_LOCAL):
            return None
        connection.addresses[address] = None
        return connection.identity

    def unbound(self, number: int, address: bytes) -> str | None:
        """The connection no longer holds the address."""
        connection = self._connections.get(number)
        if connection is None or address not in connection.addresses:
            return None
        del connection.addresses[address]
        return connection.identity

    def closed(self, number: int) -> str | None:
        """A connection has ended; an unknown one is ignored."""
        self._anonymous.discard(number)
        connection = self._connections.pop(number, None)
        if connection is None:
            return None
        visit = self._visits[connection.identity]
        del visit.connections[number]
        if not visit.connections:
            del self._visits[connection.identity]
        return connection.identity

    def seen(self, identity: str) -> Attendee | None:
        """How ``identity`` is here; None: not at all, or without a global address."""
        visit = self._visits.get(identity)
        if visit is None:
            return None
        held = {address: c for c in visit.connections.values() for address in c.addresses}
        if not held:
            return None
        wishes = (self.fixed.get(identity), visit.last_time, visit.address)
        visit.address = next((wish for wish in wishes if wish and wish in held), next(iter(held)))
        connection = held[visit.address]
        others = tuple(address for address in held if address != visit.address)
        return Attendee(visit.address, others, connection.peer, connection.transport, visit.since)
