"""What is asked of the servers for one question, a step at a time (RFC 6147 5).

::

    PLAIN     the question itself; its answer is the reply. Of a PTR question below a prefix: the IPv4 one (5.3.1)
    AAAA      addresses, SOA or NXDOMAIN: the reply. Nothing, excluded addresses, an error, silence: A
    CHECK     the AAAA question failed: once more without validation. An answer now means that it was bogus (5.5)
    A         addresses: the reply is made of them. Nothing: what there was to AAAA (5.4)
"""

import enum
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from manageout.errors import WireError
from manageout.protocol.dns import answers
from manageout.protocol.dns.cache import Key
from manageout.protocol.dns.prefixes import Prefixes, Reverse
from manageout.wire import dns


class Waiting(NamedTuple):
    """A client that waits for the reply. ``message``: its whole query."""

    client: object
    query: dns.Query
    message: bytes
    tcp: bool


class Question(NamedTuple):
    """Ask the servers: name, type and class as they stand in a message, and our flags."""

    question: bytes
    flags: int


class NoData(NamedTuple):
    """The servers have nothing. ``answer``: what one gave as its reason, if any did."""

    answer: bytes | None


class Stage(enum.Enum):
    """Which answer is waited for; see the head of the file. ``MADE``: none any more, the reply is synthetic."""

    PLAIN = "plain"
    AAAA = "aaaa"
    CHECK = "check"
    A = "a"
    MADE = "made"


@dataclass(slots=True)
class Job:
    """A question under way. ``source``: whose it is. ``until``: the time by which there must be a reply."""

    key: Key
    query: dns.Query
    source: str
    until: float
    waiting: list[Waiting] = field(default_factory=list)
    stage: Stage = Stage.PLAIN
    aaaa: bytes | None = None
    """The answer about AAAA: there are none, or only excluded ones."""
    failure: bytes | None = None
    """The error in place of such an answer."""
    reverse: Reverse | None = None
    """Where the PTR records are that are asked for, when that is elsewhere."""


def synthesises(query: dns.Query) -> bool:
    """Whether a question may have any answer of our making (RFC 6147 5.1, 5.5 (3)).

    With CD and DO set the client validates by itself: it must get the data as any other resolver gives it.
    """
    return query.klass == dns.IN and not (query.dnssec and query.flags & dns.CD)


def first(job: Job, prefixes: Prefixes, exclude_domains: Sequence[bytes]) -> Question:
    """The first question to the servers."""
    query = job.query
    kind = query.type
    if kind == dns.AAAA and prefixes.all and not job.key.excluded and synthesises(query):
        if not any(dns.below(query.name, domain) for domain in exclude_domains):
            job.stage = Stage.AAAA
    elif kind == dns.PTR and synthesises(query):
        job.reverse = prefixes.reverse(query.name)
        if job.reverse is not None:
            return Question(job.reverse.target + struct.pack(">HH", dns.PTR, dns.IN), _flags(query))
    return Question(query.question, _flags(query))


def step(job: Job, answer: bytes | None, prefixes: Prefixes) -> bytes | Question | NoData:
    """The reply or the next question, after what the servers said; None: none of them said anything.

    Raises :class:`WireError` for an answer that cannot be read.
    """
    stage = job.stage
    if stage is Stage.AAAA:
        try:
            return _after_aaaa(job, answer, prefixes)
        except WireError:
            return _ask_a(job)
    if stage is Stage.A:
        return _after_a(job, answer, prefixes)
    if stage is Stage.CHECK:
        # RFC 6147 5.5, (2) and RFC 4035 3.2.2: what is there with CD and not without it is bogus.
        return _ask_a(job) if answer is None or failing(answer) else NoData(job.failure)
    if job.reverse is not None:
        if answer is None or failing(answer):
            return NoData(None)
        return answers.reverse(job.query, job.reverse, answer)
    return _after_plain(job.query, answer, prefixes)


def failing(answer: bytes) -> bool:
    """Whether an answer is neither data nor the word that there is none."""
    return answer[3] & dns.RCODE not in (dns.NOERROR, dns.NXDOMAIN)


def _flags(query: dns.Query) -> int:
    """RFC 6840 5.7, 5.9: AD asks for the AD bit without DO; CD is passed on."""
    return dns.RD | query.flags & (dns.AD | dns.CD)


def _after_plain(query: dns.Query, answer: bytes | None, prefixes: Prefixes) -> bytes | NoData:
    if answer is None or failing(answer):
        return NoData(answer)
    if query.type == dns.AAAA and synthesises(query) and answers.aaaa_records(answer, prefixes).excluded:
        return answers.without_excluded(query, answer, prefixes)
    return answers.forwarded(query, answer)


def _after_aaaa(job: Job, answer: bytes | None, prefixes: Prefixes) -> bytes | Question:
    rcode = answer[3] & dns.RCODE if answer is not None else dns.SERVFAIL
    if answer is not None and rcode == dns.NXDOMAIN:
        return answers.forwarded(job.query, answer)  # 5.1.2: final
    if answer is not None and rcode == dns.NOERROR:
        found = answers.aaaa_records(answer, prefixes)
        if found.usable and found.excluded:
            return answers.without_excluded(job.query, answer, prefixes)
        if found.usable:
            return answers.forwarded(job.query, answer)  # 5.1.1
        job.aaaa = answer  # 5.1.4: answers that are all excluded count as none
        return _ask_a(job)
    job.failure = answer
    if answer is not None and rcode == dns.SERVFAIL and not job.query.flags & dns.CD:
        job.stage = Stage.CHECK
        return Question(job.query.question, _flags(job.query) | dns.CD)
    return _ask_a(job)


def _ask_a(job: Job) -> Question:
    job.stage = Stage.A
    return Question(job.query.question[:-4] + struct.pack(">HH", dns.A, dns.IN), _flags(job.query))


def _after_a(job: Job, answer: bytes | None, prefixes: Prefixes) -> bytes | NoData:
    if answer is None or failing(answer):
        return NoData(answer)
    if answer[3] & dns.RCODE == dns.NXDOMAIN:
        return answers.forwarded(job.query, answer)  # 5.1.6
    made = answers.synthesised(job.query, job.aaaa, answer, prefixes)
    if made is not None:
        job.stage = Stage.MADE
        return made
    # 5.4: what was said about AAAA. The A answer is never the reply: what it has or proves is not about AAAA.
    if job.aaaa is None:
        return NoData(job.failure)
    if answers.aaaa_records(job.aaaa, prefixes).excluded:
        return answers.without_excluded(job.query, job.aaaa, prefixes, absence=answer)
    return answers.forwarded(job.query, job.aaaa)
