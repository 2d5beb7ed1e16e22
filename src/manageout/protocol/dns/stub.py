"""A forwarding DNS stub as a machine: each question goes to the site's servers or to the local ones, by its name.

A client's message is forwarded as it came, but for its number, which is drawn anew: the driver sends every
question from a socket of its own, so that number and port protect it (RFC 5452 4). What comes back counts only
from the server that was asked, with that number and the same question. A silent or failing server is followed by
the next one; when none is left, the answer is SERVFAIL.

A question about the site is never asked of a local server, not even when the site's do not answer: whoever
runs the network here must not be able to play the intranet.

There is no cache: the programs on this machine and the gateway have theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from manageout.errors import WireError
from manageout.protocol.host.name_policy import Rules
from manageout.wire.dns import (
    FORMERR,
    HEADER,
    NOTIMP,
    OPCODE,
    QR,
    RA,
    RD,
    REFUSED,
    SERVFAIL,
    labels_of,
    parse_query,
)

QUERY_TIMEOUT = 2.0
"""Seconds that a server gets."""
MAX_TRIES = 4
"""How many servers are asked for one question; one server alone is asked twice."""
MAX_PENDING = 512
"""Questions at a time; more are refused."""
MAX_QUERY = 4096
"""Bytes of a question, of which no honest one has so many."""


class Ask(NamedTuple):
    """Send ``message`` to ``server`` from a fresh socket; ``number`` names the exchange."""

    number: int
    server: str
    inside: bool
    """The server is the site's: through the tunnel, and nowhere else."""
    tcp: bool
    message: bytes


class Forget(NamedTuple):
    """The exchange is over: close its socket."""

    number: int


class Reply(NamedTuple):
    """Answer the client that asked as ``client``."""

    client: object
    message: bytes


Order = Ask | Forget | Reply


@dataclass(slots=True)
class _Pending:
    client: object
    query: bytes
    question: bytes
    servers: Sequence[str]
    inside: bool
    tcp: bool
    tries: int = 0
    number: int = 0
    id: bytes = b""
    deadline: float = math.inf
    failure: bytes | None = None
    """A server's answer that is passed on when no other has a better one."""


@dataclass
class Totals:
    """What was done, for ``manageout status``."""

    site: int = 0
    local: int = 0
    malformed: int = 0
    refused: int = 0
    timeouts: int = 0
    spoofed: int = 0
    """Answers to a question that was not asked."""


@dataclass
class DnsStub:
    """``random``: 0 <= x < 1. Servers and rules may be replaced at any time."""

    random: Callable[[], float]
    rules: Rules = field(default_factory=Rules)
    site_servers: Sequence[str] = ()
    local_servers: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.totals = Totals()
        self._pending: dict[int, _Pending] = {}
        self._next = 0
        self._orders: list[Order] = []

    # --- From clients -----------------------------------------------------------------------------------

    def receive(self, message: bytes, client: object, now: float, *, tcp: bool = False) -> None:
        """A question of ``client``, whatever that is to the driver; it came over TCP or UDP."""
        if len(message) < HEADER or message[2] & 0x80:
            self.totals.malformed += 1
            return
        if int.from_bytes(message[2:4], "big") & OPCODE:
            self._refuse(client, message, NOTIMP)
            return
        try:
            if len(message) > MAX_QUERY:
                raise WireError("DNS query: too long")
            query = parse_query(message)
        except WireError:
            self.totals.malformed += 1
            self._refuse(client, message, FORMERR)
            return
        asked = query.question
        if len(self._pending) >= MAX_PENDING:
            self.totals.refused += 1
            self._refuse(client, message, SERVFAIL, asked)
            return
        inside = self.rules.covers(_text(query.name))
        if inside:
            self.totals.site += 1
        else:
            self.totals.local += 1
        servers = self.site_servers if inside else self.local_servers
        self._ask(_Pending(client, message, asked, tuple(servers), inside, tcp), now)

    def _ask(self, pending: _Pending, now: float) -> None:
        """Go to the next server, or give up."""
        tries = min(MAX_TRIES, max(2, len(pending.servers))) if pending.servers else 0
        if pending.tries >= tries:
            if pending.failure is not None:
                self._orders.append(Reply(pending.client, pending.query[:2] + pending.failure[2:]))
            else:
                self._refuse(pending.client, pending.query, SERVFAIL, pending.question)
            return
        server = pending.servers[pending.tries % len(pending.servers)]
        pending.tries += 1
        pending.id = int(self.random() * 0x10000).to_bytes(2, "big")
        pending.deadline = now + QUERY_TIMEOUT
        self._next += 1
        pending.number = self._next
        self._pending[self._next] = pending
        order = Ask(self._next, server, pending.inside, pending.tcp, pending.id + pending.query[2:])
        self._orders.append(order)

    def _refuse(self, client: object, query: bytes, rcode: int, asked: bytes = b"") -> None:
        flags = int.from_bytes(query[2:4], "big") & (OPCODE | RD) | QR | RA | rcode
        count = b"\0\1" if asked else b"\0\0"
        self._orders.append(Reply(client, query[:2] + flags.to_bytes(2, "big") + count + bytes(6) + asked))

    # --- From servers -----------------------------------------------------------------------------------

    def answered(self, number: int, message: bytes, now: float) -> None:
        """What the socket of an exchange received; the kernel has checked that it came from the server."""
        pending = self._pending.get(number)
        if pending is None:
            return
        if not _fits(message, pending):
            self.totals.spoofed += 1
            return
        self._end(pending)
        rcode = message[3] & 15
        if rcode in (SERVFAIL, NOTIMP, REFUSED):
            pending.failure = message
            self._ask(pending, now)
        else:
            self._orders.append(Reply(pending.client, pending.query[:2] + message[2:]))

    def failed(self, number: int, now: float) -> None:
        """The server cannot be reached, or ended the connection."""
        if (pending := self._pending.get(number)) is not None:
            self._end(pending)
            self._ask(pending, now)

    def gone(self, client: object) -> None:
        """A client over TCP has left."""
        for pending in [pending for pending in self._pending.values() if pending.client == client]:
            self._end(pending)

    def _end(self, pending: _Pending) -> None:
        del self._pending[pending.number]
        self._orders.append(Forget(pending.number))

    # --- Time and output --------------------------------------------------------------------------------

    def timer(self) -> float | None:
        """When :meth:`on_timer` wants to be called next, or None."""
        first = next(iter(self._pending.values()), None)
        # All wait equally long, so the oldest is the first to end.
        return None if first is None else first.deadline

    def on_timer(self, now: float) -> None:
        """Give up on servers that are silent."""
        for pending in [pending for pending in self._pending.values() if pending.deadline <= now]:
            self.totals.timeouts += 1
            self._end(pending)
            self._ask(pending, now)

    def transmit(self) -> list[Order]:
        """What is to be done, in order."""
        taken, self._orders = self._orders, []
        return taken


def _text(name: bytes) -> str:
    """A name in wire form as the rules have it; a dot within a label must not look like one between two."""
    return ".".join(label.replace(b".", b"\\046").decode("latin-1") for label in labels_of(name))


def _fits(message: bytes, pending: _Pending) -> bool:
    """An answer to this very question (RFC 5452 9.1), compared as sent: the case of letters, too."""
    end = HEADER + len(pending.question)
    if len(message) < HEADER or message[:2] != pending.id or not message[2] & 0x80:
        return False
    if message[4:6] == b"\0\0" and message[3] & 15 in (FORMERR, SERVFAIL, NOTIMP, REFUSED):
        return True  # servers that did not get so far as to read the question
    return message[4:6] == b"\0\1" and message[HEADER:end] == pending.question
