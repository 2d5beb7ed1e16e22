"""A DNS64 resolver as a machine (RFC 6147): it forwards questions, and gives names with only IPv4 addresses IPv6 ones.

The way of a question::

    cache                       a current answer: done
    blocked, ipv4only.arpa ...  our own answer: done
    one exchange with a server  any type but AAAA, and AAAA where nothing may be synthesised
    AAAA, then A                NXDOMAIN is final (5.1.2); any other error and silence count as empty (5.1.3)
    PTR below a NAT64 prefix    PTR of the IPv4 address, and a CNAME to it (5.3.1)
    nothing from any server     an answer that is out of date (RFC 8767), else SERVFAIL, for a moment (RFC 9520)

The same question of several clients is asked once. A server that is silent or fails is followed by the next, and comes
last for a while. The steps of one question are in :mod:`manageout.protocol.dns.job`.
We do not validate: a validating server does (5.5), and its AD bit and SERVFAIL are passed on.
"""

from __future__ import annotations

import contextlib
import heapq
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from manageout.errors import WireError
from manageout.protocol.dns import answers
from manageout.protocol.dns.cache import DnsCache, Key, aged, key_of
from manageout.protocol.dns.forwarder import Ask, Exchange, Forget, Reply, Servers
from manageout.protocol.dns.job import Failed, Job, Question, Stage, Waiting, first, step, synthesises
from manageout.protocol.dns.prefixes import Prefixes
from manageout.wire import dns

MAX_PENDING = 4096
"""Questions under way; more are refused."""
MAX_PER_CLIENT = 512
"""Of them begun by one client."""
LIMIT = 4.5
"""Seconds for a question: less than the 5 after which resolvers think of us as silent."""
MAX_WAITING = 256
"""Clients that wait for the same answer."""
MAX_QUERY = 4096
FAILURE_TTL = 1.0
"""Seconds that a failure answers the same question: the least of RFC 9520 3.2, to hear a server that is back."""
STALE_RECHECK = 30.0
"""Seconds that an old answer is, before the servers are asked again (RFC 8767 5)."""
_ARPA = dns.to_wire("arpa")
_TRANSFERS = (249, 250, 251, 252)  # TKEY, TSIG, IXFR, AXFR


class Config(NamedTuple):
    """What the site says. Names are in wire form and lower case."""

    servers: tuple[str, ...]
    prefixes: Prefixes
    exclude_domains: tuple[bytes, ...] = ()
    blocked: tuple[bytes, ...] = ()
    cache_size: int = 20000
    serve_stale: float = 0.0


class Blocked(NamedTuple):
    """A client asked for a name of the block list."""

    client: object
    name: bytes


class Dns64:
    """``random``: uniform in [0, 1). Clients are what the driver passes as ``client``; ``source`` says whose one is."""

    def __init__(self, config: Config, random: Callable[[], float], source: Callable[[object], str]) -> None:
        self._source = source
        self.config = config
        self.cache = DnsCache(config.cache_size, config.serve_stale)
        self.servers = Servers(config.servers, random)
        self.counts: Counter[str] = Counter()
        self.blocked: Counter[object] = Counter()
        self._jobs: dict[Key, Job] = {}
        self._begun: Counter[object] = Counter()
        self._numbers: dict[int, Job] = {}
        self._timers: list[tuple[float, int]] = []
        self._out: list[Ask | Forget | Reply] = []
        self._events: list[Blocked] = []

    def configure(self, config: Config) -> None:
        """Go on with other settings; questions under way end as they began."""
        self.config = config
        self.cache = DnsCache(config.cache_size, config.serve_stale)
        self.servers.configure(config.servers)

    # --- The five verbs ---------------------------------------------------------------------------------

    def receive(
        self, message: bytes, client: object, now: float, *, tcp: bool = False, excluded: bool = False
    ) -> None:
        """A client's message. ``excluded``: nothing is synthesised for it."""
        if len(message) < dns.HEADER or message[2] & dns.QR >> 8:
            self.counts["malformed"] += 1
            return
        self.counts["queries"] += 1
        try:
            if message[2] & dns.OPCODE >> 8:
                self._refuse_message(client, message, dns.NOTIMP)
                return
            if len(message) > MAX_QUERY:
                raise WireError("DNS query: too long")
            query = dns.parse_query(message)
        except WireError:
            self.counts["malformed"] += 1
            self._refuse_message(client, message, dns.FORMERR)
            return
        self._question(Waiting(client, query, message, tcp), now, excluded=excluded)

    def quick(self, message: bytes, now: float) -> bytes | None:
        """The answer to a query over UDP that the cache has at hand; not for clients that are excluded."""
        return self.cache.quick(message, now)

    def answered(self, number: int, message: bytes, now: float) -> None:
        """A server's message for the exchange ``number``."""
        job = self._numbers.get(number)
        if job is None:
            return
        verdict = self.servers.judge(number, message)
        match verdict:
            case Exchange.FOREIGN:
                self.counts["spoofed"] += 1  # wait on: the true answer may come yet
            case Exchange.TRUNCATED:
                self._ask_again(number, now, tcp=True)
            case Exchange.FAILED:
                self._ask_again(number, now, failure=message)
            case Exchange.GOOD:
                self._over(number)
                self._result(job, message, now)

    def failed(self, number: int, now: float) -> None:
        """The exchange cannot be: no route, refused, closed."""
        if number in self._numbers:
            self._ask_again(number, now)

    def gone(self, client: object) -> None:
        """A client over TCP has closed."""
        for job in self._jobs.values():
            job.waiting = [each for each in job.waiting if each.client is not client]

    def on_timer(self, now: float) -> None:
        """Servers that have been silent for too long are given up."""
        while self._timers and self._timers[0][0] <= now:
            _, number = heapq.heappop(self._timers)
            if number in self._numbers:
                self.counts["timeouts"] += 1
                self._ask_again(number, now)

    def timer(self) -> float | None:
        """When :meth:`on_timer` is due."""
        while self._timers and self._timers[0][1] not in self._numbers:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def transmit(self) -> Sequence[Ask | Forget | Reply]:
        """Orders for the driver."""
        out, self._out = self._out, []
        return out

    def events(self) -> Sequence[Blocked]:
        """Who asked for names of the block list."""
        events, self._events = self._events, []
        return events

    def pending(self) -> int:
        """Questions under way."""
        return len(self._jobs)

    # --- Questions --------------------------------------------------------------------------------------

    def _question(self, asked: Waiting, now: float, *, excluded: bool) -> None:
        query = asked.query
        if query.version:
            self._reply(asked, answers.error(query, dns.BADVERS))
            return
        # Other classes are none of DNS64's (RFC 6147 5.1), and what servers say of themselves in class CH would be
        # said of the upstream one. BIND and Unbound refuse what they do not hold likewise.
        if query.type in _TRANSFERS or query.klass != dns.IN:
            self._reply(asked, answers.error(query, dns.REFUSED))
            return
        if self._ours(asked, excluded=excluded):
            return
        key = key_of(query, excluded=excluded)
        stored = self.cache.get(key, now)
        if stored is not None:
            self.cache.hits += 1
            reply = self._reply(asked, aged(stored, now))
            if not asked.tcp and not excluded:
                self.cache.remember(asked.message, reply, now, stored.ends)
            return
        self.cache.misses += 1
        self._start(key, asked, now)

    def _ours(self, asked: Waiting, *, excluded: bool) -> bool:
        """Answer what we answer ourselves."""
        query = asked.query
        for name in self.config.blocked:
            if dns.below(query.name, name):
                self.counts["blocked"] += 1
                self._events.append(Blocked(asked.client, query.name))
                self._reply(asked, answers.absent(query, name, dns.NXDOMAIN))
                return True
        if query.type == dns.DS or not query.name.endswith(_ARPA):
            return False
        # RFC 8880 7.1: not even this resolver's own servers are asked, but for DS.
        if dns.below(query.name, answers.WELL_KNOWN):
            apart = excluded or not synthesises(query)
            self._reply(asked, answers.well_known(query, self.config.prefixes, excluded=apart))
            return True
        # RFC 9462 6.1: the servers' own encrypted resolvers would lead clients past us.
        if dns.below(query.name, answers.RESOLVER_ARPA):
            self._reply(asked, answers.absent(query, answers.RESOLVER_ARPA, dns.NOERROR))
            return True
        return False

    def _start(self, key: Key, asked: Waiting, now: float) -> None:
        job = self._jobs.get(key)
        if job is not None and len(job.waiting) < MAX_WAITING:
            job.waiting.append(asked)
            return
        source = self._source(asked.client)
        if job is not None or len(self._jobs) >= MAX_PENDING or self._begun[source] >= MAX_PER_CLIENT:
            self.counts["busy"] += 1
            self._reply(asked, answers.error(asked.query, dns.SERVFAIL))
            return
        self._begun[source] += 1
        job = self._jobs[key] = Job(key, asked.query, source, now + LIMIT, [asked])
        self._ask(job, first(job, self.config.prefixes, self.config.exclude_domains), now)

    # --- Answers ----------------------------------------------------------------------------------------

    def _result(self, job: Job, answer: bytes | None, now: float) -> None:
        """What the servers said; None when none of them said anything."""
        try:
            found = step(job, answer, self.config.prefixes)
        except WireError:
            self.counts["broken"] += 1
            found = Failed(None)
        if isinstance(found, Question):
            self._ask(job, found, now)
        elif isinstance(found, Failed):
            self._fail(job, found.answer, now)
        else:
            if job.stage is Stage.MADE:
                self.counts["synthesised"] += 1
            self._finish(job, found)
            self._keep(job, found, now)

    def _fail(self, job: Job, answer: bytes | None, now: float) -> None:
        """The reply when the servers have nothing: an old answer, or what they gave as their reason."""
        stale = self.cache.get_stale(job.key, now) if self.config.serve_stale else None
        if stale is not None:
            self.counts["stale"] += 1
            reply, seconds = aged(stale, now), STALE_RECHECK
        else:
            self.counts["failed"] += 1
            reply, seconds = answers.error(job.query, dns.SERVFAIL), FAILURE_TTL
            # FORMERR is about our question, not the client's.
            if answer is not None and answer[3] & dns.RCODE != dns.FORMERR:
                with contextlib.suppress(WireError):
                    reply = answers.forwarded(job.query, answer)
        self._finish(job, reply)
        self.cache.put_failure(job.key, reply, now, seconds)

    def _finish(self, job: Job, reply: bytes) -> None:
        del self._jobs[job.key]
        self._begun[job.source] -= 1
        if not self._begun[job.source]:
            del self._begun[job.source]
        for asked in job.waiting:
            self._reply(asked, reply)

    def _keep(self, job: Job, reply: bytes, now: float) -> None:
        try:
            self.cache.put(job.key, reply, now)
        except WireError:
            self.counts["broken"] += 1

    def _reply(self, asked: Waiting, reply: bytes) -> bytes:
        query = asked.query
        if not asked.tcp and len(reply) > min(query.size, MAX_QUERY):
            reply = answers.truncated(reply, query)
            self.counts["truncated"] += 1
        at = dns.HEADER + len(query.question)
        # The question as this client wrote it, capitals and all.
        reply = query.id + reply[2 : dns.HEADER] + query.question + reply[at:]
        self._out.append(Reply(asked.client, reply))
        return reply

    def _refuse_message(self, client: object, message: bytes, rcode: int) -> None:
        flags = dns.QR | int.from_bytes(message[2:4], "big") & (dns.OPCODE | dns.RD | dns.CD) | rcode
        # RFC 6891 6.1.1: whoever sends an OPT record gets one.
        opt = dns.opt_record(answers.OUR_SIZE, dnssec=False) if dns.has_opt(message) else b""
        head = message[:2] + struct.pack(">HHHHH", flags, 0, 0, 0, 1 if opt else 0)
        self._out.append(Reply(client, head + opt))

    # --- Exchanges with servers -------------------------------------------------------------------------

    def _ask(self, job: Job, asked: Question, now: float) -> None:
        # A server that is silent to a check must leave time for the A question.
        until = (now + job.until) / 2 if job.stage is Stage.CHECK else job.until
        order = self.servers.open(asked.question, asked.flags, now, until, dnssec=job.query.dnssec)
        self._send(job, order, now)

    def _send(self, job: Job, order: Ask, now: float) -> None:
        self.counts["upstream"] += 1
        self._numbers[order.number] = job
        heapq.heappush(self._timers, (self.servers.due(order.number, now), order.number))
        self._out.append(order)

    def _ask_again(self, number: int, now: float, *, tcp: bool = False, failure: bytes | None = None) -> None:
        job = self._numbers.pop(number)
        self._out.append(Forget(number))
        order = self.servers.again(number, now, tcp=tcp, failure=failure)
        if isinstance(order, Ask):
            self._send(job, order, now)
        else:
            self._result(job, order, now)

    def _over(self, number: int) -> None:
        del self._numbers[number]
        self._out.append(Forget(number))
        self.servers.close(number)
