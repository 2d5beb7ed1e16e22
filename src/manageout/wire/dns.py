"""DNS messages as far as a forwarder must read them: the question, where records lie, names, lifetimes.

Enough to answer from a cache and to pass answers on without taking them apart (RFC 1035 4.1, RFC 6891 6.1).
Anything that does not add up is a :class:`WireError`.
"""

import functools
import struct
from collections.abc import Iterator
from typing import NamedTuple

from manageout.errors import WireError

HEADER = 12
QR, OPCODE, AA, TC, RD = 0x8000, 0x7800, 0x0400, 0x0200, 0x0100
RA, AD, CD, RCODE = 0x0080, 0x0020, 0x0010, 0x000F
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
BADVERS = 16
A, NS, CNAME, SOA, PTR, AAAA, DNAME, OPT, DS, RRSIG = 1, 2, 5, 6, 12, 28, 39, 41, 43, 46
ANY = 255
IN = 1
DO = 0x8000
MAX_NAME = 255
_MAX_RECORDS = 512

_counts = struct.Struct(">HHHHH")
_fixed = struct.Struct(">HHIH")
_made = tuple.__new__
"""A NamedTuple by less than half of the time that its own constructor takes."""


class Query(NamedTuple):
    """A question, and what came with it."""

    id: bytes
    flags: int
    question: bytes
    """As it stands in the message: name, type, class."""
    name: bytes
    """In wire form and lower case."""
    type: int
    klass: int
    edns: bool
    dnssec: bool
    """The DO bit."""
    version: int
    size: int
    """Bytes that the client takes over UDP."""


class Record(NamedTuple):
    """Where one resource record lies. ``ttl_at`` and ``data`` are offsets into the message."""

    start: int
    type: int
    klass: int
    ttl: int
    ttl_at: int
    data: int
    end: int


def parse_query(message: bytes) -> Query:
    """Read a query with one question. Raises :class:`WireError`."""
    try:
        flags, questions, answers, authorities, additional = _counts.unpack_from(message, 2)
        if questions != 1 or answers or authorities or additional > 2:
            raise WireError("DNS query: not one question")
        end = HEADER
        while length := message[end]:
            if length > 63:
                raise WireError("DNS query: compressed name in the question")
            end += length + 1
        if end + 1 - HEADER > MAX_NAME:
            raise WireError("DNS query: name too long")
        kind, klass = struct.unpack_from(">HH", message, end + 1)
        name, question = message[HEADER : end + 1].lower(), message[HEADER : end + 5]
        edns, dnssec, version, size = False, False, 0, 512
        for record in records(message, end + 5, additional):
            if record.type == OPT:
                if edns or message[record.start]:
                    raise WireError("DNS query: not one OPT record of the root")
                edns, size = True, max(512, record.klass)
                dnssec, version = bool(record.ttl & DO), record.ttl >> 16 & 0xFF
    except (IndexError, struct.error):
        raise WireError("DNS query: truncated") from None
    return Query(message[:2], flags, question, name, kind, klass, edns, dnssec, version, size)


def build_query(number: int, name: bytes, kind: int) -> bytes:
    """A question of our own for the records of type ``kind`` at ``name`` (wire form); checking is not disabled."""
    head = number.to_bytes(2, "big") + struct.pack(">HHHHH", RD, 1, 0, 0, 0)
    return head + name + struct.pack(">HH", kind, IN)


def rcode_of_answer(message: bytes, asked: bytes) -> int | None:
    """The response code of the answer to ``asked``, made by :func:`build_query`; None when it is none."""
    end = len(asked)  # the question comes back as it was
    fits = message[:2] == asked[:2] and message[HEADER:end] == asked[HEADER:] and message[4:6] == b"\0\1"
    return message[3] & RCODE if fits and message[2] & QR >> 8 else None


def has_opt(message: bytes) -> bool:
    """Whether there is an OPT record in a message that need not be a query with one question."""
    try:
        questions, *counts = struct.unpack_from(">HHHH", message, 4)
        at = HEADER
        for _ in range(questions):
            at = skip_name(message, at) + 4
        return any(record.type == OPT for record in records(message, at, sum(counts)))
    except (IndexError, struct.error, WireError):
        return False


def records(message: bytes, at: int, count: int) -> Iterator[Record]:
    """The ``count`` resource records from offset ``at`` on. Raises :class:`WireError`."""
    if count > _MAX_RECORDS:
        raise WireError("DNS message: too many records")
    try:
        for _ in range(count):
            start = at
            at = at + 2 if message[at] >= 0xC0 else skip_name(message, at)
            kind, klass, ttl, length = _fixed.unpack_from(message, at)
            data = at + 10
            at = data + length
            if at > len(message):
                raise WireError("DNS message: truncated")
            # RFC 2181 8: a lifetime with the first bit set counts as zero; an OPT's is no lifetime.
            if ttl > 0x7FFFFFFF and kind != OPT:
                ttl = 0
            yield _made(Record, (start, kind, klass, ttl, data - 6, data, at))
    except (IndexError, struct.error):
        raise WireError("DNS message: truncated") from None


def skip_name(message: bytes, at: int) -> int:
    """The offset behind the name at ``at``. Raises :class:`IndexError`, :class:`WireError`."""
    while length := message[at]:
        if length >= 0xC0:
            return at + 2
        if length > 63:
            raise WireError("DNS message: bad label")
        at += length + 1
    return at + 1


def read_name(message: bytes, at: int) -> bytes:
    """The name at ``at``, whole, in lower case. Raises :class:`WireError`, also for pointers that do not go back."""
    parts: list[bytes] = []
    size, limit = 1, at
    try:
        while length := message[at]:
            if length >= 0xC0:
                to = (length & 0x3F) << 8 | message[at + 1]
                # Every jump must lead further back than the last: no loop is possible.
                if to >= limit:
                    raise WireError("DNS message: a name points forward or at itself")
                at = limit = to
                continue
            if length > 63:
                raise WireError("DNS message: bad label")
            parts.append(message[at : at + length + 1])
            if len(parts[-1]) != length + 1:
                raise WireError("DNS message: truncated")
            size += length + 1
            if size > MAX_NAME:
                raise WireError("DNS message: name too long")
            at += length + 1
    except IndexError:
        raise WireError("DNS message: truncated") from None
    return b"".join(parts).lower() + b"\0"


def to_wire(name: str) -> bytes:
    """A name (without escapes) in wire form and lower case; the root is ``""``."""
    labels = [label.encode() for label in name.lower().strip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def labels_of(name: bytes) -> list[bytes]:
    """The labels of a name in wire form."""
    found, at = [], 0
    while length := name[at]:
        found.append(name[at + 1 : at + 1 + length])
        at += length + 1
    return found


def below(name: bytes, top: bytes) -> bool:
    """Whether ``name`` is ``top`` or lies below it (both in wire form and lower case)."""
    if not name.endswith(top):
        return False
    at, start = 0, len(name) - len(top)
    while at < start:
        at += name[at] + 1
    return at == start


@functools.lru_cache(maxsize=16)
def opt_record(size: int, *, dnssec: bool, extended: int = 0) -> bytes:
    """An OPT record (RFC 6891 6.1.2); ``extended``: the upper bits of the response code."""
    return b"\0" + _fixed.pack(OPT, size, extended << 24 | (DO if dnssec else 0), 0)
