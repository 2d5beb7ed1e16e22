"""Drivers for the DNS64: whatever clients and servers send, every question has one answer that can be read."""

from __future__ import annotations

import struct
from ipaddress import IPv4Network, IPv6Network

import dns.message
import dns.rrset

from manageout.errors import WireError
from manageout.protocol.dns.dns64 import Dns64, Dns64Config
from manageout.protocol.dns.forwarder import Ask, Reply
from manageout.protocol.dns.prefixes import Prefixes
from manageout.wire import dns as wire
from tests.fuzz.engine import Target

CLIENT = ("fd12:3456:789a:1000::5", 40000, 0, 0)
PREFIXES = Prefixes(
    [(IPv6Network("fd12:3456:789a:7777::/96"), [IPv4Network("0.0.0.0/0")])], [IPv6Network("::ffff:0:0/96")]
)
CONFIG = Dns64Config(("10.0.0.10", "10.0.0.11"), PREFIXES, blocked=(wire.to_wire("isatap"),), cache_size=100)
NAME = "app.corp.example"
LONG = 600.0
"""Seconds after which nothing is waited for any more."""


def _query(kind: str = "AAAA", name: str = NAME, *, dnssec: bool = False) -> dns.message.Message:
    return dns.message.make_query(name, kind, use_edns=0, want_dnssec=dnssec, payload=1232, id=7)


def queries(data: bytes) -> None:
    """A message of a client, to a resolver whose servers are silent; the second time the same."""
    machine = Dns64(CONFIG, lambda: 0.5, str)
    replies = []
    for now in (0.0, LONG):
        machine.receive(data, CLIENT, now)
        machine.quick(data, now)
        replies += [order for order in machine.transmit() if isinstance(order, Reply)]
        while (due := machine.timer()) is not None:
            machine.on_timer(due)
            replies += [order for order in machine.transmit() if isinstance(order, Reply)]
    assert not machine.pending()
    if not replies:
        raise WireError("no question")
    assert len(replies) == 2
    for reply in replies:
        _readable(reply.message)
        assert reply.message[:2] == data[:2]


def answers(data: bytes) -> None:
    """A server's message to each question about AAAA, PTR and TXT records that is under way."""
    good = 0
    for kind, name in (
        ("AAAA", NAME),
        ("PTR", "4.1.0.0.0.0.a.0.0.0.0.0.0.0.0.0.7.7.7.7.a.9.8.7.6.5.4.3.2.1.d.f.ip6.arpa"),
        ("TXT", NAME),
    ):
        machine = Dns64(CONFIG, lambda: 0.5, str)
        query = _query(kind, name).to_wire()
        machine.receive(query, CLIENT, 0.0)
        replies: list[Reply] = []
        for step in range(100):
            orders = list(machine.transmit())
            replies += [order for order in orders if isinstance(order, Reply)]
            asked = [order for order in orders if isinstance(order, Ask)]
            for order in asked:
                machine.answered(order.number, _fitted(order.message, data), float(step))
            if not asked:
                if replies or (due := machine.timer()) is None:
                    break
                machine.on_timer(due)
        assert len(replies) == 1 and not machine.pending()
        _readable(replies[0].message)
        good += replies[0].message[3] & wire.RCODE == wire.NOERROR
        machine.receive(query, CLIENT, 0.0)  # perhaps from the cache
        for reply in (order for order in machine.transmit() if isinstance(order, Reply)):
            _readable(reply.message)
    if not good:
        raise WireError("no good answer")


def _fitted(question: bytes, data: bytes) -> bytes:
    """``data`` with number and question as they were asked, so that it gets past the first checks."""
    try:
        end = wire.HEADER + len(wire.parse_query(question).question)
        flags = struct.pack(">H", int.from_bytes(data[:2], "big") | wire.QR)
        return question[:2] + flags + b"\0\1" + data[2:8] + question[wire.HEADER : end] + data[8:]
    except IndexError:
        return data


def _readable(message: bytes) -> None:
    """A whole DNS message, also for somebody else's reader."""
    flags = int.from_bytes(message[2:4], "big")
    assert flags & wire.QR and len(message) >= wire.HEADER
    at = wire.HEADER
    questions, answers, authorities, additional = struct.unpack_from(">HHHH", message, 4)
    for _ in range(questions):
        at = wire.skip_name(message, at) + 4
    last = at
    for record in wire.records(message, at, answers + authorities + additional):
        last = record.end
    assert last == len(message), "bytes behind the last record"


def _answer(*records: str, kind: str = "AAAA", flags: int = 0) -> bytes:
    """What follows number and question of an answer: flags, counts, records; see :func:`_fitted`."""
    message = dns.message.make_response(_query(kind), recursion_available=True)
    for text in records:
        section, owner, ttl, kind_, value = text.split(" ", 4)
        rrset = dns.rrset.from_text(owner, int(ttl), "IN", kind_, value)
        (message.answer if section == "an" else message.authority).append(rrset)
    data = message.to_wire()
    end = wire.HEADER + len(wire.parse_query(_query(kind).to_wire()).question)
    return struct.pack(">H", wire.QR | wire.RA | flags) + data[6:12] + data[end:]


SOA = "au corp.example. 300 SOA ns.corp.example. admin.corp.example. 1 3600 600 86400 60"
ANSWERS = [
    _answer(SOA),
    _answer(f"an {NAME}. 60 A 10.0.0.20"),
    _answer(f"an {NAME}. 60 AAAA ::ffff:10.0.0.20", f"an {NAME}. 60 AAAA 2001:db8::1"),
    _answer(f"an {NAME}. 60 CNAME www.corp.example.", "an www.corp.example. 5 A 10.0.0.21", SOA),
    _answer("an corp.example. 60 DNAME example.net.", f"an {NAME}. 60 CNAME app.example.net."),
    _answer(
        "an 20.0.0.10.in-addr.arpa. 60 CNAME 20.x.0.0.10.in-addr.arpa.",
        "an 20.x.0.0.10.in-addr.arpa. 60 PTR a.b.",
    ),
    _answer(SOA, flags=wire.NXDOMAIN),
    _answer(flags=wire.SERVFAIL),
    _answer(flags=wire.TC),
    _answer(f'an {NAME}. 60 TXT "text"'),
]
QUERIES = [
    _query(kind, name, dnssec=dnssec).to_wire()
    for kind, name, dnssec in (
        ("AAAA", NAME, True),
        ("A", "isatap", False),
        ("AAAA", "ipv4only.arpa", False),
        ("PTR", "4.1.0.0.0.0.a.0.0.0.0.0.0.0.0.0.7.7.7.7.a.9.8.7.6.5.4.3.2.1.d.f.ip6.arpa", False),
        ("AXFR", "corp.example", False),
    )
]


TARGETS = [Target("dns64_queries", queries, QUERIES), Target("dns64_answers", answers, ANSWERS)]
