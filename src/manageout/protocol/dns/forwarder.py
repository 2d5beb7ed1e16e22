"""Exchanges with the intranet's DNS servers: whom to ask, what counts as an answer, when to ask the next.

Each exchange has a number and a socket of its own with a random port, and a random id (RFC 5452 4). An answer counts
only from the server that was asked (the socket is connected), with that id and the same question.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from manageout.errors import WireError
from manageout.wire import dns

PATIENCE = 1.0
"""Seconds that a server gets over UDP."""
SHORT_PATIENCE = 0.5
"""Seconds for one that is known to be silent: enough to notice that it is back."""
TCP_PATIENCE = 4.0
MAX_TRIES = 3
"""Questions sent for one exchange; one server alone is asked twice."""
PENALTY = 20.0
"""Seconds that a silent server comes last."""
OUR_SIZE = 1232
MAX_FOREIGN = 10
"""Messages that are no answer until we go over to TCP, where nobody can guess."""
_QUESTION = b"\xc0\x0c"
"""A pointer to the name in the question."""
_NAMED = (dns.NS, dns.CNAME, dns.SOA, dns.PTR, dns.DNAME)
"""Types whose data begins with a name."""
_FAILURES = (dns.FORMERR, dns.SERVFAIL, dns.NOTIMP, dns.REFUSED)
_REASONS = (*_FAILURES, dns.NXDOMAIN)
"""What may be told when no server answers."""


class Ask(NamedTuple):
    """Send ``message`` to ``server`` from a fresh socket."""

    number: int
    server: str
    tcp: bool
    message: bytes


class Forget(NamedTuple):
    """Close the socket of exchange ``number``."""

    number: int


class Reply(NamedTuple):
    """Answer a client."""

    client: object
    message: bytes


class Exchange(enum.Enum):
    """What a message is for an exchange."""

    GOOD = "good"
    FOREIGN = "foreign"
    """Not an answer to what was asked: a forgery, or too late."""
    TRUNCATED = "truncated"
    """Ask over TCP: there is more, or somebody tries to guess the number."""
    FAILED = "failed"
    """The server cannot or will not: another one may."""


class _Open:
    """One exchange under way."""

    __slots__ = (
        "dnssec",
        "edns",
        "failure",
        "flags",
        "foreign",
        "id",
        "question",
        "rest",
        "server",
        "tcp",
        "tries",
        "until",
    )

    def __init__(self, question: bytes, flags: int, rest: list[str], until: float, *, dnssec: bool) -> None:
        self.question, self.flags, self.dnssec = question, flags, dnssec
        self.until = until
        self.rest = rest
        self.server, self.id = "", b""
        self.tcp = False
        self.edns = True
        self.tries = self.foreign = 0
        self.failure: bytes | None = None


class Servers:
    """The servers, the preferred one first."""

    def __init__(self, servers: Sequence[str], random: Callable[[], float]) -> None:
        self._servers = tuple(servers)
        self._random = random
        self._open: dict[int, _Open] = {}
        self._bad: dict[str, float] = {}
        self._last = 0

    def configure(self, servers: Sequence[str]) -> None:
        """Other servers, from the next question on."""
        self._servers = tuple(servers)
        self._bad = {server: until for server, until in self._bad.items() if server in servers}

    def due(self, number: int, now: float) -> float:
        """Until when the server gets time for the question sent now in an exchange."""
        exchange = self._open[number]
        silent = self._bad.get(exchange.server, 0.0) > now
        patience = TCP_PATIENCE if exchange.tcp else SHORT_PATIENCE if silent else PATIENCE
        return min(now + patience, exchange.until)

    def silent(self, now: float) -> list[str]:
        """Servers that come last at the moment."""
        return [server for server in self._servers if self._bad.get(server, 0.0) > now]

    def open(self, question: bytes, flags: int, now: float, until: float, *, dnssec: bool) -> Ask:
        """Begin an exchange about ``question`` (name, type, class), for which there is time ``until`` then."""
        bad = self._bad
        order = sorted(self._servers, key=lambda server: bad.get(server, 0.0) > now) if bad else self._servers
        rest = (list(order) * 2)[:MAX_TRIES]
        return self._ask(_Open(question, flags, rest, until, dnssec=dnssec))

    def judge(self, number: int, message: bytes) -> Exchange:
        """What a message on the socket of an exchange is."""
        exchange = self._open[number]
        found = self._judge(exchange, message)
        if found is Exchange.FOREIGN:
            exchange.foreign += 1
            if exchange.foreign >= MAX_FOREIGN and not exchange.tcp:
                return Exchange.TRUNCATED
        return found

    def _judge(self, exchange: _Open, message: bytes) -> Exchange:
        if len(message) < dns.HEADER or message[:2] != exchange.id or not message[2] & dns.QR >> 8:
            return Exchange.FOREIGN
        flags, questions = struct.unpack_from(">HH", message, 2)
        rcode = flags & dns.RCODE
        if not questions and rcode == dns.FORMERR:  # from before EDNS
            return Exchange.FAILED
        end = dns.HEADER + len(exchange.question)
        if questions != 1 or message[dns.HEADER : end].lower() != exchange.question.lower():
            return Exchange.FOREIGN
        if rcode in _FAILURES:
            return Exchange.FAILED
        if flags & dns.TC:
            return Exchange.FAILED if exchange.tcp else Exchange.TRUNCATED
        try:  # what is broken is no answer
            if not _is_answer(message, end):
                return Exchange.FAILED
        except WireError:
            return Exchange.FAILED
        self._bad.pop(exchange.server, None)
        return Exchange.GOOD

    def again(
        self, number: int, now: float, *, tcp: bool = False, failure: bytes | None = None
    ) -> Ask | bytes | None:
        """The next question of an exchange; when there is none, the best failure, or None after nothing but silence."""
        exchange = self._open.pop(number)
        if tcp:
            exchange.tcp = True
            exchange.rest.insert(0, exchange.server)
            return self._ask(exchange)
        if failure is None:
            self._bad[exchange.server] = now + PENALTY
        elif failure[3] & dns.RCODE in (dns.FORMERR, dns.NOTIMP) and exchange.edns:
            exchange.edns = False  # RFC 6891 6.2.2
            exchange.rest.insert(0, exchange.server)
            return self._ask(exchange)
        elif failure[3] & dns.RCODE in _REASONS and len(failure) >= dns.HEADER + len(exchange.question):
            exchange.failure = _graver(exchange.failure, failure)
        exchange.tcp = False
        if exchange.rest and exchange.tries < MAX_TRIES and now < exchange.until:
            return self._ask(exchange)
        return exchange.failure

    def close(self, number: int) -> None:
        """The exchange has its answer."""
        del self._open[number]

    def _ask(self, exchange: _Open) -> Ask:
        self._last += 1
        exchange.server = exchange.rest.pop(0)
        exchange.tries += 1
        exchange.id = int(self._random() * 0x10000).to_bytes(2, "big")
        opt = dns.opt_record(OUR_SIZE, dnssec=exchange.dnssec) if exchange.edns else b""
        head = exchange.id + struct.pack(">HHHHH", exchange.flags, 1, 0, 0, 1 if opt else 0)
        self._open[self._last] = exchange
        return Ask(self._last, exchange.server, exchange.tcp, head + exchange.question + opt)


def _graver(old: bytes | None, new: bytes) -> bytes:
    """The failure to tell of: the last one, but SERVFAIL before others, as it may mean that data is bogus."""
    return old if old is not None and old[3] & dns.RCODE == dns.SERVFAIL else new


def _is_answer(message: bytes, at: int) -> bool:
    """Whether a message whose records begin ``at`` is about what was asked. Raises :class:`WireError`."""
    answers, authorities, additional = struct.unpack_from(">HHH", message, 6)
    for record in dns.records(message, at, answers + authorities + additional):
        if message[record.start : record.start + 2] != _QUESTION:
            dns.read_name(message, record.start)
        kind = record.type
        if kind in _NAMED:
            dns.read_name(message, record.data)
        elif kind == dns.OPT and record.ttl >> 24:
            return False  # the upper bits of an error (RFC 6891 6.1.3)
    if answers or message[3] & dns.RA or message[2] & dns.AA >> 8:
        return True
    # Neither its own word nor one that it has asked for: NS records alone are a referral (RFC 2308 2.2), and Samba
    # without a forwarder says NXDOMAIN to all that is not in its zones.
    kinds = {record.type for record in dns.records(message, at, authorities)}
    return dns.SOA in kinds or (dns.NS not in kinds and message[3] & dns.RCODE != dns.NXDOMAIN)
