"""How long answers are kept, and what they say of it."""

from __future__ import annotations

import dns.message
import dns.rcode
import dns.rrset
import pytest

from manageout.protocol.dns.cache import MAX_TTL, STALE_TTL, DnsCache, Key, aged, lifetime_of
from manageout.wire import dns as wire

NAME = "app.corp.example."
KEY = Key(wire.to_wire(NAME), wire.A, wire.IN, 0, False, False, False)
SOA = "ns. admin. 1 1 1 1 {minimum}"


def answer(*ttls: int, kind: str = "A", rcode: str = "NOERROR", soa: tuple[int, int] | None = None) -> bytes:
    message = dns.message.make_response(dns.message.make_query(NAME, "A", id=7))  # a test has one name
    message.set_rcode(dns.rcode.from_text(rcode))
    for number, ttl in enumerate(ttls):
        data = f"10.0.0.{number}" if kind == "A" else "other."
        message.answer.append(dns.rrset.from_text(NAME, ttl, "IN", kind, data))
    if soa:
        message.authority.append(
            dns.rrset.from_text("corp.example.", soa[0], "IN", "SOA", SOA.format(minimum=soa[1]))
        )
    return message.to_wire()


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        (answer(60), 60),
        (answer(60, 5), 5),
        (answer(0), 0),
        (answer(10 * MAX_TTL), MAX_TTL),
        (answer(soa=(300, 7)), 7),
        (answer(soa=(3, 7)), 3),
        (answer(), 0),
        (answer(60, kind="CNAME"), 0),
        (answer(60, kind="CNAME", soa=(30, 30)), 30),
        (answer(rcode="NXDOMAIN", soa=(30, 30)), 30),
        (answer(rcode="NXDOMAIN"), 0),
        (answer(rcode="SERVFAIL", soa=(30, 30)), 0),
        (answer(soa=(10 * MAX_TTL, 10 * MAX_TTL)), MAX_TTL),
    ],
)
def test_lifetimes(message: bytes, seconds: int) -> None:
    assert lifetime_of(message)[0] == seconds


def ttl(message: bytes) -> int:
    return int(dns.message.from_wire(message).answer[0].ttl)


def test_lifetimes_count_down_and_stale_ones_are_short() -> None:
    cache = DnsCache(10, 100)
    cache.put(KEY, answer(60), 1000.0)
    stored = cache.get(KEY, 1010.5)
    assert stored and ttl(aged(stored, 1010.5)) == 50
    assert cache.get(KEY, 1060.0) is None
    old = cache.get_stale(KEY, 1100.0)
    assert old and ttl(aged(old, 1100.0)) == STALE_TTL
    assert cache.get_stale(KEY, 1161.0) is None


def test_the_quick_way_lasts_to_the_end_of_the_second_and_of_the_answer() -> None:
    cache = DnsCache(10, 0)
    cache.remember(b"\x12\x34query", b"\x12\x34reply", 5.0, 5.5)
    assert cache.quick(b"\x99\x99query", 5.4) == b"\x99\x99reply"
    assert cache.quick(b"\x99\x99query", 5.5) is None and cache.quick(b"\x99\x99other", 5.0) is None


def test_the_oldest_make_room_and_size_zero_keeps_nothing() -> None:
    cache = DnsCache(2, 0)
    for number in range(4):
        cache.put(KEY._replace(type=number), answer(60), 0.0)
    assert len(cache) == 2 and cache.get(KEY._replace(type=3), 0.0)
    nothing = DnsCache(0, 0)
    nothing.put(KEY, answer(60), 0.0)
    nothing.remember(b"12q", b"12r", 0.0, 9.0)
    assert not len(nothing) and nothing.quick(b"12q", 0.0) is None
