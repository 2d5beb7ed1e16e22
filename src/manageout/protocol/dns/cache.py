"""Answers that are kept, ready to send.

Three tables. ``answers`` is keyed by what matters of a question and holds whole answers with the places of their
lifetimes. ``failures`` holds what was given for a moment because the servers had nothing. ``hot`` is keyed by the exact
bytes of a query without its number, and holds what to send for the rest of the second: a client that asks the same
again costs one look-up and no parsing. Lifetimes count down a second at a time.
"""

import struct
from typing import NamedTuple

from manageout.wire import dns

STALE_TTL = 30
"""Seconds that an answer out of date may be remembered by the client (RFC 8767 5.11)."""
MAX_TTL = 86400
SECOND = 1.0
_put = struct.Struct(">I").pack_into


class Key(NamedTuple):
    """What makes two questions the same: but for the case of letters and the client's buffer."""

    name: bytes
    type: int
    klass: int
    bits: int
    """Flags RD, AD and CD."""
    dnssec: bool
    edns: bool
    excluded: bool
    """Nothing is synthesised for this client."""


def key_of(query: dns.Query, *, excluded: bool) -> Key:
    """What answers to ``query`` are kept by."""
    bits = query.flags & (dns.RD | dns.AD | dns.CD)
    apart = excluded and query.type == dns.AAAA
    return Key(query.name, query.type, query.klass, bits, query.dnssec, query.edns, apart)


class Stored(NamedTuple):
    """One answer. ``lifetimes``: offsets of the TTL fields."""

    message: bytes
    lifetimes: tuple[int, ...]
    at: float
    ends: float


class DnsCache:
    """At most ``size`` answers; the oldest make room. ``stale``: seconds that they are kept beyond their end."""

    def __init__(self, size: int, stale: float) -> None:
        self.size, self.stale = size, stale
        self.hits = self.misses = 0
        self._answers: dict[Key, Stored] = {}
        self._failures: dict[Key, Stored] = {}
        self._hot: dict[bytes, tuple[float, bytes]] = {}

    def __len__(self) -> int:
        return len(self._answers)

    def quick(self, message: bytes, now: float) -> bytes | None:
        """The answer to exactly this query, if there is one at hand."""
        found = self._hot.get(message[2:])
        if found is None or now >= found[0]:
            return None
        self.hits += 1
        return message[:2] + found[1]

    def get(self, key: Key, now: float) -> Stored | None:
        """A current answer, or what was given in its place when the servers failed a moment ago."""
        stored = self._answers.get(key)
        if stored is None or now >= stored.ends:
            stored = self._failures.get(key)
        return stored if stored is not None and now < stored.ends else None

    def get_stale(self, key: Key, now: float) -> Stored | None:
        """An answer that may be out of date by ``stale`` seconds."""
        stored = self._answers.get(key)
        return stored if stored is not None and now < stored.ends + self.stale else None

    def put(self, key: Key, message: bytes, now: float) -> None:
        """Keep ``message`` for as long as its records say."""
        lifetime, places = lifetime_of(message)
        if not lifetime or not self.size:
            return
        self._insert(self._answers, key, Stored(message, places, now, now + lifetime))

    def put_failure(self, key: Key, message: bytes, now: float, seconds: float) -> None:
        """Have ``message`` in place of a current answer for ``seconds``, as it is (RFC 9520 3.2)."""
        if self.size:
            self._insert(self._failures, key, Stored(message, (), now, now + seconds))

    def _insert(self, table: dict[Key, Stored], key: Key, stored: Stored) -> None:
        table.pop(key, None)
        while len(table) >= self.size:
            del table[next(iter(table))]
        table[key] = stored

    def remember(self, query: bytes, reply: bytes, now: float, ends: float) -> None:
        """Have ``reply`` at hand for the same query until the next second."""
        if len(self._hot) >= 2 * self.size:
            self._hot.clear()
        if self.size:
            self._hot[query[2:]] = (min(now + SECOND, ends), reply[2:])

    def clear(self) -> None:
        """Forget everything."""
        self._answers.clear()
        self._failures.clear()
        self._hot.clear()


def aged(stored: Stored, now: float) -> bytes:
    """The answer with its lifetimes as they are ``now``."""
    age, old = int(now - stored.at), now >= stored.ends
    if not age and not old:
        return stored.message
    message = bytearray(stored.message)
    for at in stored.lifetimes:
        ttl = int.from_bytes(message[at : at + 4], "big")
        _put(message, at, min(ttl, STALE_TTL) if old else max(0, ttl - age))
    return bytes(message)


def lifetime_of(message: bytes) -> tuple[int, tuple[int, ...]]:
    """Seconds that an answer may be kept, and where its lifetimes are.

    0 for an error, and for a negative answer without the SOA that limits it (RFC 2308 5).
    """
    answers, authorities, additional = struct.unpack_from(">HHH", message, 6)
    rcode = message[3] & dns.RCODE
    if rcode not in (dns.NOERROR, dns.NXDOMAIN) or message[2] & dns.TC >> 8:
        return 0, ()
    at = dns.skip_name(message, dns.HEADER) + 4
    lowest, places, negative = MAX_TTL, [], MAX_TTL + 1
    kinds = set()
    for number, record in enumerate(dns.records(message, at, answers + authorities + additional)):
        if record.type == dns.OPT:
            continue
        places.append(record.ttl_at)
        lowest = min(lowest, record.ttl)
        if number < answers:
            kinds.add(record.type)
        elif record.type == dns.SOA and record.end - record.data >= 20:
            minimum = int.from_bytes(message[record.end - 4 : record.end], "big")
            negative = min(record.ttl, minimum, MAX_TTL)
    kind = int.from_bytes(message[at - 4 : at - 2], "big")
    if rcode == dns.NXDOMAIN or kind not in kinds:  # also a chain without an end
        if negative > MAX_TTL:
            return 0, ()
        lowest = min(lowest, negative)
    return lowest, tuple(places)
