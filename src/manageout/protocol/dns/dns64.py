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

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from manageout.errors import WireError
from manageout.protocol.dns import answers
from manageout.protocol.dns.cache import DnsCache, Key, aged, key_of
from manageout.protocol.dns.forwarder import MAX_QUERY, MAX_TRIES, Forwarder, OwnQuestion, Patience, Reply
from manageout.protocol.dns.job import Job, NoData, Question, Stage, Waiting, first, step, synthesises
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
FAILURE_TTL = 1.0
"""Seconds that a failure answers the same question: the least of RFC 9520 3.2, to hear a server that is back."""
STALE_RECHECK = 30.0
"""Seconds that an old answer is, before the servers are asked again (RFC 8767 5)."""
_ARPA = dns.to_wire("arpa")
_TRANSFERS = (249, 250, 251, 252)  # TKEY, TSIG, IXFR, AXFR


class Dns64Config(NamedTuple):
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


class Inquiry(OwnQuestion):
    """What is asked of the servers for a job."""

    __slots__ = ("job",)

    def __init__(self, job: Job, asked: Question, rest: list[str], until: float) -> None:
        super().__init__(asked.question, asked.flags, rest, until, dnssec=job.query.dnssec)
        self.job = job


class Dns64(Forwarder[Inquiry]):
    """``random``: uniform in [0, 1). Clients are what the driver passes as ``client``; ``source`` says whose one is."""

    patience = Patience(1.0, 0.5, 4.0)  # silent for so short a time is enough to notice that it is back
    max_tries = MAX_TRIES

    def __init__(
        self, config: Dns64Config, random: Callable[[], float], source: Callable[[object], str]
    ) -> None:
        super().__init__(random)
        self._source = source
        self.config = config
        self.cache = DnsCache(config.cache_size, config.serve_stale)
        self.blocked: Counter[object] = Counter()
        self._jobs: dict[Key, Job] = {}
        self._begun: Counter[object] = Counter()
        self._events: list[Blocked] = []

    def configure(self, config: Dns64Config) -> None:
        """Go on with other settings; questions under way end as they began."""
        self.config = config
        self.cache = DnsCache(config.cache_size, config.serve_stale)

    # --- The five verbs ---------------------------------------------------------------------------------

    def receive(
        self, message: bytes, client: object, now: float, *, tcp: bool = False, excluded: bool = False
    ) -> None:
        """A client's message. ``excluded``: nothing is synthesised for it."""
        query = self._read(message, client)
        if query is not None:
            self._question(Waiting(client, query, message, tcp), now, excluded=excluded)

    def quick(self, message: bytes, now: float) -> bytes | None:
        """The answer to a query over UDP that the cache has at hand; not for clients that are excluded."""
        return self.cache.quick(message, now)

    def gone(self, client: object) -> None:
        """A client over TCP has closed."""
        for job in self._jobs.values():
            job.waiting = [each for each in job.waiting if each.client is not client]

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
        self._inquire(job, first(job, self.config.prefixes, self.config.exclude_domains), now)

    # --- Answers ----------------------------------------------------------------------------------------

    def _result(self, job: Job, answer: bytes | None, now: float) -> None:
        """What the servers said; None when none of them said anything."""
        try:
            found = step(job, answer, self.config.prefixes)
        except WireError:
            self.counts["broken"] += 1
            found = NoData(None)
        if isinstance(found, Question):
            self._inquire(job, found, now)
        elif isinstance(found, NoData):
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

    # --- Exchanges with servers -------------------------------------------------------------------------

    def _inquire(self, job: Job, asked: Question, now: float) -> None:
        # A server that is silent to a check must leave time for the A question.
        until = (now + job.until) / 2 if job.stage is Stage.CHECK else job.until
        rest = (self._preferred(self.config.servers, now) * 2)[:MAX_TRIES]
        self._ask(Inquiry(job, asked, rest, until), now)

    def _ask(self, exchange: Inquiry, now: float) -> None:
        self.counts["upstream"] += 1
        super()._ask(exchange, now)

    def _ended(self, exchange: Inquiry, answer: bytes | None, now: float) -> None:
        self._result(exchange.job, answer, now)
