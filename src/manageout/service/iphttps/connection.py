"""What the gateway knows of one TCP connection, and how many of them it takes."""

import socket
import time
from collections import Counter
from dataclasses import dataclass

from manageout.protocol.core.drops import Drop
from manageout.protocol.iphttps.newcomers import Comings, Failures, Places, Source
from manageout.service.iphttps.trust import PeerCertificate, Trust
from manageout.service.tls.stream import RECEIVE, TlsStream
from manageout.site.tables.site import IpHttpsTable

TURN = 0.004
"""Seconds that one connection may keep the packets of the others waiting."""
LEAST = 8 * 1024
"""Bytes that are read of it at once however long they take."""


@dataclass(slots=True, eq=False)
class Connection:
    """One accepted connection; its number is that of the machine's session."""

    number: int
    stream: TlsStream
    peer: tuple[str, int]
    source: Source
    trust: Trust
    """What judges its handshake."""
    begun: float
    certificate: PeerCertificate | None = None
    framing: str = ""
    writing: bool = False
    """The event loop watches for room in the socket."""
    share: int = RECEIVE
    """Bytes that are read at once."""

    def served(self, size: int, seconds: float) -> None:
        """How long ``size`` bytes took: 128 KiB are 100 packets, or 26,000 records of one that is a nuisance."""
        if seconds > TURN:
            self.share = max(LEAST, self.share // 2)
        elif size * 2 > self.share:
            self.share = min(RECEIVE, self.share * 2)


class Admission:
    """Counts connections and their failures; says no above the limits of ``[gateway.iphttps]``."""

    def __init__(self, limits: IpHttpsTable) -> None:
        self.limits = limits
        self.total = 0
        self.failures = Failures()
        self.comings = Comings()
        self._places = Places()
        self._sources: Counter[str] = Counter()

    @property
    def handshakes(self) -> int:
        """Connections whose TLS handshake or HTTP head is not yet done."""
        return len(self._places)

    @property
    def pressed(self) -> bool:
        """Whether so many are on their way in that slow ones cannot be waited for."""
        room = min(self.limits.max_handshakes, self.limits.max_connections - self.total + self.handshakes)
        return self.handshakes * 2 > room

    def refuse(self, source: Source, now: float) -> Drop | None:
        """Why one more connection from ``source`` may not be; None: it may. Who is only on his way keeps nobody out."""
        if self.total - self.handshakes >= self.limits.max_connections:
            return Drop.TOO_MANY_CONNECTIONS
        if self._sources[source.name] - self._places.held(source) >= self.limits.max_per_source:
            return Drop.TOO_MANY_FROM_SOURCE
        if not self.failures.may_try(source, now):
            return Drop.TOO_MANY_FAILURES
        return None

    def who_yields(self, newcomer: Source) -> tuple[int, Source] | None:
        """Whose place ``newcomer`` gets, of those whose handshake or head is not yet done; None: one is free."""
        if self._sources[newcomer.name] >= self.limits.max_per_source:
            return self._places.oldest(newcomer)
        if self.handshakes < self.limits.max_handshakes and self.total < self.limits.max_connections:
            return None
        return self._places.who_yields(newcomer)

    def enter(self, number: int, source: Source) -> None:
        """A connection was accepted; its handshake begins."""
        self.total += 1
        self._sources[source.name] += 1
        self._places.enter(number, source)

    def established(self, number: int, source: Source) -> None:
        """A connection has sent its HTTP head."""
        if self._places.leave(number):
            self.failures.proved(source)

    def yielded(self, number: int, source: Source, at_fault: bool) -> None:
        """A connection is told to go for its place among the handshakes; ``at_fault`` as in :meth:`leave`."""
        if self._places.leave(number) and at_fault:
            self.failures.failed(source, time.monotonic())

    def leave(self, number: int, source: Source, at_fault: bool) -> None:
        """A connection has ended; ``at_fault``: if it never came to its HTTP head, its source has failed."""
        self.yielded(number, source, at_fault)
        self.total -= 1
        self._sources[source.name] -= 1
        if self._sources[source.name] <= 0:
            del self._sources[source.name]


def source_of(address: str) -> Source:
    """An IPv4 address, or an IPv6 /64 (a host can use all of it) with the nets around it."""
    address = address.partition("%")[0]
    if ":" not in address:
        return Source((address,))
    packed = socket.inet_pton(socket.AF_INET6, address)
    return Source(tuple(_net(packed, length) for length in (64, 56, 48)))


def _net(packed: bytes, length: int) -> str:
    kept = packed[: length // 8]
    return f"{socket.inet_ntop(socket.AF_INET6, kept.ljust(16, bytes(1)))}/{length}"
