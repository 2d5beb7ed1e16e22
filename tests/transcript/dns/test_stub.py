"""The DNS stub of a client: in, out, and time passes."""

from __future__ import annotations

import random
from collections.abc import Sequence

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manageout.protocol.dns.forwarder import MAX_QUERY, Ask, Forget, Order, Reply
from manageout.protocol.dns.stub import MAX_PENDING, QUERY_TIMEOUT, DnsStub
from manageout.protocol.host.name_policy import Rules

SITE = ("fd12:3456:789a:3333::1", "fd12:3456:789a:3333::2")
LOCAL = ("192.168.1.1", "192.168.1.2")


class Stub:
    """The machine with servers and rules, and a clock."""

    def __init__(self, site: tuple[str, ...] = SITE, local: tuple[str, ...] = LOCAL) -> None:
        rules = Rules(("corp.example",), ("www.corp.example",))
        self.machine = DnsStub(random.Random(1).random)
        self.machine.rules, self.machine.site_servers, self.machine.local_servers = rules, site, local
        self.now = 0.0

    def ask(self, name: str, kind: str = "AAAA", client: object = "me", tcp: bool = False) -> Sequence[Order]:
        return self.send(dns.message.make_query(name, kind, id=0x1234).to_wire(), client, tcp)

    def send(self, message: bytes, client: object = "me", tcp: bool = False) -> Sequence[Order]:
        self.machine.receive(message, client, self.now, tcp=tcp)
        return self.machine.transmit()

    def asked(self, name: str) -> Ask:
        (order,) = self.ask(name)
        assert isinstance(order, Ask)
        return order

    def answer(self, ask: Ask, message: bytes) -> Sequence[Order]:
        self.machine.answered(ask.number, message, self.now)
        return self.machine.transmit()

    def pass_time(self, seconds: float) -> Sequence[Order]:
        self.now += seconds
        self.machine.on_timer(self.now)
        return self.machine.transmit()


def answer_to(ask: Ask, rcode: int = 0, address: str = "fd12:3456:789a:7777::a00:14") -> bytes:
    query = dns.message.from_wire(ask.message)
    response = dns.message.make_response(query)
    response.set_rcode(dns.rcode.Rcode(rcode))
    if not rcode:
        response.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "AAAA", address))
    return response.to_wire()


def reply_of(orders: Sequence[Order]) -> dns.message.Message:
    (reply,) = [order for order in orders if isinstance(order, Reply)]
    message = dns.message.from_wire(reply.message)
    assert message.id == 0x1234, "the client's own number comes back"
    return message


# --- Where a question goes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "server", "inside"),
    [
        ("app.corp.example", SITE[0], True),
        ("APP.Corp.EXAMPLE", SITE[0], True),
        ("corp.example", SITE[0], True),
        ("www.corp.example", LOCAL[0], False),
        ("www.example.org", LOCAL[0], False),
        ("ipv4only.arpa", LOCAL[0], False),  # RFC 8880 7.1: not ours to answer or to divert
        (".", LOCAL[0], False),
        ("evilcorp.example", LOCAL[0], False),
        (r"app\.corp.example", LOCAL[0], False),  # one label with a dot in it
    ],
)
def test_by_the_name(name: str, server: str, inside: bool) -> None:
    ask = Stub().asked(name)
    assert (ask.server, ask.inside) == (server, inside)


def test_a_question_and_its_answer() -> None:
    stub = Stub()
    ask = stub.asked("app.corp.example")
    assert ask.message[:2] != b"\x12\x34", "with a number of our own"
    answer = answer_to(ask)
    assert stub.answer(ask, answer) == [Forget(ask.number), Reply("me", b"\x12\x34" + answer[2:])]
    assert stub.machine.timer() is None


def test_numbers_are_drawn_anew() -> None:
    stub = Stub()
    numbers = {stub.asked("app.corp.example").message[:2] for _ in range(50)}
    assert len(numbers) > 45


def test_over_tcp_it_is_asked_over_tcp() -> None:
    (order,) = Stub().ask("app.corp.example", tcp=True)
    assert isinstance(order, Ask) and order.tcp


def test_a_truncated_answer_is_passed_on() -> None:
    stub = Stub()
    ask = stub.asked("app.corp.example")
    message = bytearray(answer_to(ask))
    message[2] |= 0x02
    assert reply_of(stub.answer(ask, bytes(message))).flags & dns.flags.TC


def test_nxdomain_is_an_answer() -> None:
    stub = Stub()
    ask = stub.asked("nobody.corp.example")
    assert reply_of(stub.answer(ask, answer_to(ask, dns.rcode.NXDOMAIN))).rcode() == dns.rcode.NXDOMAIN


# --- Servers that fail ----------------------------------------------------------------------------------


def test_a_silent_server_is_followed_by_the_next_and_at_last_by_servfail() -> None:
    stub = Stub()
    first = stub.asked("app.corp.example")
    assert stub.pass_time(QUERY_TIMEOUT - 0.1) == []
    forget, second = stub.pass_time(0.1)
    assert forget == Forget(first.number)
    assert isinstance(second, Ask) and second.server == SITE[1] and second.inside
    assert reply_of(stub.pass_time(QUERY_TIMEOUT)).rcode() == dns.rcode.SERVFAIL
    assert stub.machine.counts["timeouts"] == 2


def test_the_site_is_never_asked_of_a_local_server() -> None:
    stub = Stub(site=())
    assert reply_of(stub.ask("app.corp.example")).rcode() == dns.rcode.SERVFAIL


def test_one_server_alone_is_asked_twice() -> None:
    stub = Stub(site=SITE[:1])
    stub.asked("app.corp.example")
    orders = stub.pass_time(QUERY_TIMEOUT)
    assert [order.server for order in orders if isinstance(order, Ask)] == [SITE[0]]


def test_an_unreachable_server_costs_no_time() -> None:
    stub = Stub()
    ask = stub.asked("app.corp.example")
    stub.machine.failed(ask.number, stub.now)
    _, second = stub.machine.transmit()
    assert isinstance(second, Ask) and second.server == SITE[1]


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.NOTIMP, dns.rcode.REFUSED])
def test_a_failing_server_is_followed_by_the_next(rcode: dns.rcode.Rcode) -> None:
    stub = Stub()
    first = stub.asked("app.corp.example")
    _, second = stub.answer(first, answer_to(first, rcode))
    assert isinstance(second, Ask) and second.server == SITE[1]
    assert reply_of(stub.answer(second, answer_to(second))).rcode() == dns.rcode.NOERROR


def test_when_all_fail_the_last_failure_is_passed_on() -> None:
    stub = Stub()
    first = stub.asked("app.corp.example")
    _, second = stub.answer(first, answer_to(first, dns.rcode.REFUSED))
    assert isinstance(second, Ask)
    assert reply_of(stub.answer(second, answer_to(second, dns.rcode.REFUSED))).rcode() == dns.rcode.REFUSED


# --- Answers that are none (RFC 5452 9.1) ---------------------------------------------------------------


def changed(message: bytes, at: int, value: int) -> bytes:
    return message[:at] + bytes([value]) + message[at + 1 :]


def test_another_number_another_question_or_a_question_is_no_answer() -> None:
    stub = Stub()
    ask = stub.asked("app.corp.example")
    good = answer_to(ask)
    other = answer_to(Stub().asked("evil.corp.example"))
    bad = [
        changed(good, 0, good[0] ^ 1),
        good[:2] + other[2:],
        ask.message,
        changed(good, 13, ord("A")),  # the case of a letter
        changed(good, 5, 0),  # no question, and yet no error
        b"",
        good[:11],
        good[:20],
    ]
    for message in bad:
        assert stub.answer(ask, message) == []
    assert stub.machine.counts["spoofed"] == len(bad)
    assert reply_of(stub.answer(ask, good)).answer


def test_an_answer_that_comes_too_late_is_nobodys() -> None:
    stub = Stub()
    ask = stub.asked("app.corp.example")
    stub.pass_time(QUERY_TIMEOUT)
    assert stub.answer(ask, answer_to(ask)) == []


def test_an_error_without_the_question_counts() -> None:
    stub = Stub()
    ask = stub.asked("app.corp.example")
    error = ask.message[:2] + b"\x80\x05" + bytes(8)
    _, second = stub.answer(ask, error)
    assert isinstance(second, Ask)


# --- Bad input from programs on this machine ------------------------------------------------------------


def test_nonsense_gets_no_answer() -> None:
    stub = Stub()
    query = dns.message.make_query("app.corp.example", "A").to_wire()
    for message in (b"", b"x", query[:11], changed(query, 2, 0x80)):
        assert stub.send(message) == []
    assert stub.machine.counts["malformed"] == 4


@pytest.mark.parametrize(
    "body",
    [
        b"",  # no question
        b"\3app",  # a name without end
        b"\xc0\x0c\0\1\0\1",  # a pointer to itself
        b"\x40abc\0\0\1\0\1",  # a reserved kind of label
        b"\3app\0\0\1\0",  # a question without end
        (b"\x3f" + b"x" * 63) * 4 + b"\0\0\1\0\1",  # 257 bytes
        b"\3app\0\0\1\0\1" + bytes(MAX_QUERY),
    ],
)
def test_a_broken_question_is_a_format_error(body: bytes) -> None:
    stub = Stub()
    (reply,) = stub.send(b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + body)
    assert isinstance(reply, Reply)
    assert reply.message == b"\x12\x34\x81\x81" + bytes(8)


@pytest.mark.parametrize("count", [0, 2])
def test_there_must_be_one_question(count: int) -> None:
    query = bytearray(dns.message.make_query("app.corp.example", "A", id=0x1234).to_wire())
    query[5] = count
    assert reply_of(Stub().send(bytes(query))).rcode() == dns.rcode.FORMERR


def test_other_opcodes_are_not_implemented() -> None:
    query = bytearray(dns.message.make_query("app.corp.example", "A", id=0x1234).to_wire())
    query[2] |= 5 << 3  # an update
    (reply,) = Stub().send(bytes(query))
    assert isinstance(reply, Reply) and reply.message[3] & 15 == dns.rcode.NOTIMP


def test_a_flood_is_bounded_and_answered() -> None:
    stub = Stub()
    for _ in range(MAX_PENDING):
        stub.ask("app.corp.example")
    assert reply_of(stub.ask("app.corp.example")).rcode() == dns.rcode.SERVFAIL
    assert stub.machine.counts["refused"] == 1
    for _ in range(4):
        stub.pass_time(QUERY_TIMEOUT)
    assert stub.machine.timer() is None


def test_a_client_that_has_gone_is_forgotten() -> None:
    stub = Stub()
    (ask,) = stub.ask("app.corp.example", client="tcp", tcp=True)
    assert isinstance(ask, Ask)
    stub.machine.gone("tcp")
    assert stub.machine.transmit() == [Forget(ask.number)]
    assert stub.answer(ask, answer_to(ask)) == []


@given(st.binary(max_size=80))
def test_any_bytes_are_survived(data: bytes) -> None:
    stub = Stub()
    stub.send(data)
    stub.send(b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + data)
    ask = stub.asked("app.corp.example")
    stub.answer(ask, data)
    stub.answer(ask, ask.message[:2] + data)


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=10))
def test_names_of_any_bytes_are_forwarded_as_they_are(labels: list[bytes]) -> None:
    wire = b"".join(bytes([len(label)]) + label for label in labels) + b"\0\0\x1c\0\1"
    (ask,) = Stub().send(b"\x12\x34\1\0\0\1" + bytes(6) + wire)
    assert isinstance(ask, Ask) and ask.message[12:] == wire
    assert ask.inside == ([label.lower() for label in labels[-2:]] == [b"corp", b"example"])
