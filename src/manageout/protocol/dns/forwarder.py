"""Forwarding: what the DNS64 and a laptop's stub share. Clients' queries are read, servers asked one after the other.

Each time a server is asked, that has a number, a socket with a random port and a random id of its own (RFC 5452 4). A
server that is silent comes last for a while. What is sent, and what is an answer to it, is the policy, an
:class:`Exchange`: the DNS64 asks questions of its own (:class:`OwnQuestion`), the stub passes messages on.
"""

import enum
import heapq
import struct
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from manageout.errors import WireError
from manageout.protocol.dns.answers import OUR_SIZE
from manageout.wire import dns

MAX_QUERY = 4096
"""Bytes of a client's message, of which no honest one has so many."""
PENALTY = 20.0
"""Seconds that a silent server comes last."""
MAX_TRIES = 3
"""Questions of our own sent for one exchange; one server alone is asked twice."""
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
    """Send ``message`` to ``server`` from a fresh socket; ``number`` names it."""

    number: int
    server: str
    tcp: bool
    message: bytes
    inside: bool = False
    """The server is to be reached through the tunnel, and nowhere else."""


class Forget(NamedTuple):
    """Close the socket of question ``number``."""

    number: int


class Reply(NamedTuple):
    """Answer a client."""

    client: object
    message: bytes


Order = Ask | Forget | Reply


class Patience(NamedTuple):
    """Seconds that a server gets."""

    udp: float
    silent: float
    """Over UDP when it is known to be silent."""
    tcp: float


class Response(enum.Enum):
    """What a message on the socket of an exchange is."""

    GOOD = "good"
    FOREIGN = "foreign"
    """Not an answer to what was asked: a forgery, or too late."""
    AGAIN = "again"
    """Ask the same server again, otherwise."""
    FAILED = "failed"
    """The server cannot or will not: another one may."""


class Exchange(ABC):
    """A question under way: one server is asked, those in ``rest`` may follow, all before ``until``."""

    __slots__ = ("failure", "id", "rest", "server", "tcp", "tries", "until")
    inside = tcp_only = False

    def __init__(self, rest: list[str], until: float) -> None:
        self.rest, self.until = rest, until
        self.server, self.id = "", b""
        self.tcp = False
        self.tries = 0
        self.failure: bytes | None = None
        """What a server gave as its reason; told when no other has a better answer."""

    @abstractmethod
    def body(self) -> bytes:
        """The message to a server, without its id."""

    @abstractmethod
    def judge(self, message: bytes) -> Response:
        """What ``message`` is to it; notes how to ask again, or the failure."""


E = TypeVar("E", bound=Exchange)


class Forwarder(ABC, Generic[E]):
    """Exchanges, their time, and orders for the driver. ``random``: uniform in [0, 1)."""

    patience: Patience
    max_tries: int

    def __init__(self, random: Callable[[], float]) -> None:
        self.counts: Counter[str] = Counter()
        self._random = random
        self._exchanges: dict[int, E] = {}
        self._timers: list[tuple[float, int]] = []
        self._out: list[Order] = []
        self._silent: dict[str, float] = {}
        self._last = 0

    @abstractmethod
    def _ended(self, exchange: E, answer: bytes | None, now: float) -> None:
        """The good answer; else the best failure; None after nothing but silence."""

    # --- From clients -----------------------------------------------------------------------------------

    def _read(self, message: bytes, client: object) -> dns.Query | None:
        """A client's query; None: it is none, or was refused."""
        if len(message) < dns.HEADER or message[2] & dns.QR >> 8:
            self.counts["malformed"] += 1
            return None
        self.counts["queries"] += 1
        if message[2] & dns.OPCODE >> 8:
            self._refuse(client, message, dns.NOTIMP)
            return None
        try:
            if len(message) > MAX_QUERY:
                raise WireError("DNS query: too long")
            return dns.parse_query(message)
        except WireError:
            self.counts["malformed"] += 1
            self._refuse(client, message, dns.FORMERR)
            return None

    def _refuse(self, client: object, message: bytes, rcode: int) -> None:
        kept = int.from_bytes(message[2:4], "big") & (dns.OPCODE | dns.RD | dns.CD)
        # RFC 6891 6.1.1: whoever sends an OPT record gets one.
        opt = dns.opt_record(OUR_SIZE, dnssec=False) if dns.has_opt(message) else b""
        head = struct.pack(">HHHHH", dns.QR | dns.RA | kept | rcode, 0, 0, 0, 1 if opt else 0)
        self._out.append(Reply(client, message[:2] + head + opt))

    # --- To servers -------------------------------------------------------------------------------------

    def _preferred(self, servers: Sequence[str], now: float) -> list[str]:
        """The silent ones last."""
        if not self._silent:
            return list(servers)
        return sorted(servers, key=lambda server: self._silent.get(server, 0.0) > now)

    def _ask(self, exchange: E, now: float) -> None:
        """Ask the first of its servers."""
        server = exchange.server = exchange.rest.pop(0)
        exchange.tries += 1
        exchange.id = int(self._random() * 0x10000).to_bytes(2, "big")
        self._last = number = self._last + 1
        self._exchanges[number] = exchange
        udp = self.patience.silent if self._silent.get(server, 0.0) > now else self.patience.udp
        due = min(now + (self.patience.tcp if exchange.tcp else udp), exchange.until)
        heapq.heappush(self._timers, (due, number))
        self._out.append(Ask(number, server, exchange.tcp, exchange.id + exchange.body(), exchange.inside))

    def _next(self, exchange: E, now: float) -> None:
        exchange.tcp = exchange.tcp_only
        if exchange.rest and exchange.tries < self.max_tries and now < exchange.until:
            self._ask(exchange, now)
        else:
            self._ended(exchange, exchange.failure, now)

    def _forget(self, number: int) -> None:
        del self._exchanges[number]
        self._out.append(Forget(number))

    # --- From servers -----------------------------------------------------------------------------------

    def answered(self, number: int, message: bytes, now: float) -> None:
        """What the socket of a question received; the kernel has checked that it came from the server."""
        exchange = self._exchanges.get(number)
        if exchange is None:
            return
        response = exchange.judge(message)
        if response is Response.FOREIGN:
            self.counts["spoofed"] += 1  # wait on: the true answer may come yet
            return
        self._forget(number)
        if response is Response.GOOD:
            self._silent.pop(exchange.server, None)
            self._ended(exchange, message, now)
        elif response is Response.AGAIN:
            exchange.rest.insert(0, exchange.server)
            self._ask(exchange, now)
        else:
            self._next(exchange, now)

    def failed(self, number: int, now: float) -> None:
        """The server cannot be reached, or ended the connection."""
        exchange = self._exchanges.get(number)
        if exchange is not None:
            self._forget(number)
            still = {server: until for server, until in self._silent.items() if until > now}
            self._silent = still | {exchange.server: now + PENALTY}
            self._next(exchange, now)

    def silent(self, servers: Sequence[str], now: float) -> list[str]:
        """Those of ``servers`` that come last at the moment."""
        return [server for server in servers if self._silent.get(server, 0.0) > now]

    # --- Time and output --------------------------------------------------------------------------------

    def on_timer(self, now: float) -> None:
        """Servers that have been silent for too long are given up."""
        while self._timers and self._timers[0][0] <= now:
            _, number = heapq.heappop(self._timers)
            if number in self._exchanges:
                self.counts["timeouts"] += 1
                self.failed(number, now)

    def timer(self) -> float | None:
        """When :meth:`on_timer` is due."""
        while self._timers and self._timers[0][1] not in self._exchanges:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def transmit(self) -> Sequence[Order]:
        """Orders for the driver."""
        out, self._out = self._out, []
        return out


class OwnQuestion(Exchange):
    """``question``: name, type and class. Over TCP after truncation, without EDNS for servers from before that."""

    __slots__ = ("dnssec", "edns", "flags", "foreign", "question")

    def __init__(self, question: bytes, flags: int, rest: list[str], until: float, *, dnssec: bool) -> None:
        super().__init__(rest, until)
        self.question, self.flags, self.dnssec = question, flags, dnssec
        self.edns = True
        self.foreign = 0

    def body(self) -> bytes:
        """See :class:`Exchange`."""
        opt = dns.opt_record(OUR_SIZE, dnssec=self.dnssec) if self.edns else b""
        return struct.pack(">HHHHH", self.flags, 1, 0, 0, 1 if opt else 0) + self.question + opt

    def judge(self, message: bytes) -> Response:
        """See :class:`Exchange`."""
        response = self._judge(message)
        if response is Response.FOREIGN and not self.tcp:
            self.foreign += 1
            if self.foreign >= MAX_FOREIGN:  # somebody tries to guess the number
                self.tcp = True
                return Response.AGAIN
        elif response is Response.FAILED:
            rcode = message[3] & dns.RCODE
            if rcode in (dns.FORMERR, dns.NOTIMP) and self.edns:
                self.edns = False  # RFC 6891 6.2.2
                return Response.AGAIN
            if rcode in _REASONS and len(message) >= dns.HEADER + len(self.question):
                self.failure = _graver(self.failure, message)
        return response

    def _judge(self, message: bytes) -> Response:
        if len(message) < dns.HEADER or message[:2] != self.id or not message[2] & dns.QR >> 8:
            return Response.FOREIGN
        flags, questions = struct.unpack_from(">HH", message, 2)
        rcode = flags & dns.RCODE
        if not questions and rcode == dns.FORMERR:  # from before EDNS
            return Response.FAILED
        end = dns.HEADER + len(self.question)
        if questions != 1 or message[dns.HEADER : end].lower() != self.question.lower():
            return Response.FOREIGN
        if rcode in _FAILURES:
            return Response.FAILED
        if flags & dns.TC:
            if self.tcp:
                return Response.FAILED
            self.tcp = True
            return Response.AGAIN
        try:  # what is broken is no answer
            return Response.GOOD if _is_answer(message, end) else Response.FAILED
        except WireError:
            return Response.FAILED


def _graver(old: bytes | None, new: bytes) -> bytes:
    """The failure to tell of: the last one, but SERVFAIL before others, as it may mean that data is bogus."""
    return old if old is not None and old[3] & dns.RCODE == dns.SERVFAIL else new


def _is_answer(message: bytes, at: int) -> bool:
    """Whether a message whose records begin ``at`` is about what was asked. Raises :class:`WireError`."""
    answers, authorities, additional = struct.unpack_from(">HHH", message, 6)
    kinds: list[int] = []
    for record in dns.records(message, at, answers + authorities + additional):
        if message[record.start] and message[record.start : record.start + 2] != _QUESTION:
            dns.read_name(message, record.start)
        kind = record.type
        kinds.append(kind)
        if kind in _NAMED:
            dns.read_name(message, record.data)
        elif kind == dns.OPT and record.ttl >> 24:
            return False  # the upper bits of an error (RFC 6891 6.1.3)
    if answers or message[3] & dns.RA or message[2] & dns.AA >> 8:
        return True
    # Neither its own word nor one that it has asked for: NS records alone are a referral (RFC 2308 2.2), and Samba
    # without a forwarder says NXDOMAIN to all that is not in its zones.
    del kinds[authorities:]
    return dns.SOA in kinds or (dns.NS not in kinds and message[3] & dns.RCODE != dns.NXDOMAIN)
