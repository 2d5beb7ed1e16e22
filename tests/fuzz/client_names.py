"""Drivers for what a remote client reads of names: questions of programs, answers of servers, advertisements."""

from __future__ import annotations

from ipaddress import IPv6Address

import dns.message
import dns.rrset

from manageout.errors import WireError
from manageout.protocol.dns.forwarder import Ask, Forget, Reply
from manageout.protocol.dns.stub import DnsStub
from manageout.protocol.host import pref64
from manageout.protocol.host.link_names import MAX_NAMES, MAX_PREFIXES, MAX_SERVERS, LinkNames
from manageout.protocol.host.name_policy import Rules
from manageout.wire import nd
from manageout.wire.nd import Dnssl, Pref64, Rdnss
from tests.fuzz.engine import Target

_QUESTION = dns.message.make_query("app.corp.example", "AAAA", use_edns=0, id=0x1234).to_wire()
_ASKED = pref64.query(0x1234)


def _answer(asked: bytes, *addresses: str) -> bytes:
    message = dns.message.make_response(dns.message.from_wire(asked))
    message.answer.append(dns.rrset.from_text(message.question[0].name, 60, "IN", "AAAA", *addresses))
    return message.to_wire()


def _stub() -> DnsStub:
    stub = DnsStub(lambda: 0.5)
    stub.rules, stub.site_servers, stub.local_servers = Rules(("corp.example",)), ("fd12::1",), ("192.0.2.1",)
    return stub


def run_question(data: bytes) -> None:
    """A program's question is forwarded as it is, but for its number, or answered with an error."""
    stub = _stub()
    stub.receive(data, "client", 0.0)
    orders = stub.transmit()
    match orders:
        case [Ask() as ask]:
            assert ask.message[2:] == data[2:]
            assert ask.inside == (ask.server == "fd12::1")
        case [Reply() as reply]:
            assert reply.message[:2] == data[:2] and reply.message[2] & 0x80 and reply.message[3] & 15
            raise WireError("refused")
        case _:
            assert orders == [] and (len(data) < 12 or data[2] & 0x80)
            raise WireError("no question")


def run_answer(data: bytes) -> None:
    """A server's answer is passed on as it is, but for its number, or not believed."""
    stub = _stub()
    stub.receive(_QUESTION, "client", 0.0)
    (ask,) = stub.transmit()
    assert isinstance(ask, Ask)
    stub.answered(ask.number, ask.message[:2] + data[2:], 1.0)
    orders = stub.transmit()
    if not orders:
        assert stub.counts["spoofed"] == 1
        raise WireError("not believed")
    assert orders[0] == Forget(ask.number)
    assert isinstance(orders[1], Ask) or orders[1] == Reply("client", _QUESTION[:2] + data[2:])


def run_pref64(data: bytes) -> None:
    """An answer about ``ipv4only.arpa`` gives prefixes in which its addresses are, or nothing."""
    answer = pref64.read(data, _ASKED)
    if answer is None:
        raise WireError("no answer")
    assert 0 <= answer.ttl <= pref64.MAX_TTL and len(answer.prefixes) <= pref64.MAX_PREFIXES
    for prefix in answer.prefixes:
        octets, odd = divmod(prefix.prefixlen, 8)
        assert prefix.prefixlen in pref64.LENGTHS and not odd
        assert prefix.network_address.packed[:octets] in data


def run_options(data: bytes) -> None:
    """Options of an advertisement never fill more than their places."""
    names = LinkNames()
    names.update(nd.parse_options(data), 0.0)
    seen = names.seen()
    limits = (MAX_SERVERS, MAX_NAMES, MAX_PREFIXES)
    assert all(len(part) <= limit for part, limit in zip(seen, limits, strict=True))
    names.expire(float("inf"))


_SERVER = IPv6Address("fd12:3456:789a:3333::1").packed
_OPTIONS = (Rdnss(600, (_SERVER,)), Dnssl(600, ("corp.example",)), Pref64(_SERVER[:6] + bytes(10), 96, 600))

TARGETS = (
    Target("client-question", run_question, [_QUESTION, _ASKED]),
    Target("client-answer", run_answer, [_answer(_QUESTION, "fd12::a00:14")]),
    Target("client-pref64", run_pref64, [_answer(_ASKED, "fd12::7777:c000:aa", "fd12::7777:c000:ab")]),
    Target("client-options", run_options, [nd.build_options(_OPTIONS)]),
)
