"""DNS64 and its servers as a transcript: fail-over, forgeries, TCP, the cache, floods, broken messages."""

from __future__ import annotations

import random
import struct

import dns.flags
import dns.message
import dns.opcode
import pytest

from manageout.protocol.dns import dns64 as module
from manageout.protocol.dns.dns64 import LIMIT
from manageout.protocol.dns.forwarder import MAX_FOREIGN, MAX_TRIES, PENALTY, Ask, Reply
from manageout.wire import dns as wire
from tests.tools.machines.dns64 import World, config, rcode, values

APP = "app.corp.example"
SYNTHETIC = "2001:db8:64::a00:14"
TWO = config(servers=("10.0.0.10", "10.0.0.11"))


def asked_of(world: World) -> str:
    (ask,) = world.asked
    return ask.server


def test_a_silent_server_is_followed_by_the_next_and_comes_last_for_a_while() -> None:
    world = World(TWO)
    world.ask(APP, "A")
    assert asked_of(world) == "10.0.0.10"
    world.pass_time(1.0)
    assert asked_of(world) == "10.0.0.11"
    world.answer(f"{APP}. 60 A 10.0.0.20")
    assert values(world.reply, "A") == ["10.0.0.20"]
    world.ask("b.corp.example", "A")
    assert asked_of(world) == "10.0.0.11" and world.silent == ["10.0.0.10"]
    world.answer()
    world.pass_time(PENALTY)
    world.ask("c.corp.example", "A")
    assert asked_of(world) == "10.0.0.10"


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED"])
def test_a_failing_server_is_followed_by_the_next(code: str) -> None:
    world = World(TWO)
    world.ask(APP, "A")
    world.answer(rcode=code)
    assert asked_of(world) == "10.0.0.11"
    world.answer(f"{APP}. 60 A 10.0.0.20")
    assert values(world.reply, "A") == ["10.0.0.20"]


def test_one_that_nobody_listens_on_is_followed_at_once() -> None:
    world = World(TWO)
    world.ask(APP, "A")
    world.fail()
    assert asked_of(world) == "10.0.0.11"


def test_when_all_are_silent_the_client_hears_servfail() -> None:
    world = World(TWO)
    world.ask(APP, "A")
    world.silence()
    assert rcode(world.reply) == "SERVFAIL"
    assert world.machine.counts["timeouts"] == MAX_TRIES and not world.machine.pending()


@pytest.mark.parametrize("servers", [1, 2, 3])
@pytest.mark.parametrize("kind", ["A", "AAAA"])
def test_silence_is_told_before_clients_lose_patience(kind: str, servers: int) -> None:
    world = World(config(servers=[f"10.0.0.{number}" for number in range(10, 10 + servers)]))
    for longest in (4.5, 3.0):  # the second question finds them known to be silent
        begun = world.now
        world.ask(APP, kind)
        world.silence()
        assert rcode(world.reply) == "SERVFAIL" and world.now - begun <= longest
        assert not world.machine.pending()


def test_silence_over_tcp_is_told_before_clients_lose_patience() -> None:
    world = World(TWO)
    world.ask(APP)
    while world.asked:
        if world.asked[0].tcp:
            world.pass_time(0.5)
        else:
            world.answer(flags=dns.flags.TC)
    assert rcode(world.reply) == "SERVFAIL" and world.now - 100.0 == LIMIT


def test_a_silent_server_that_is_back_is_heard_at_once() -> None:
    world = World()
    world.ask(APP, "A")
    world.silence()
    world.replies.clear()
    world.pass_time(1.0)
    world.ask(APP, "A")
    world.pass_time(0.4)
    world.answer(f"{APP}. 60 A 10.0.0.20")
    assert values(world.reply, "A") == ["10.0.0.20"] and not world.silent


def test_a_server_from_before_edns_is_asked_without() -> None:
    world = World()
    world.ask(APP, "A")
    world.answer(rcode="FORMERR")
    assert dns.message.from_wire(world.asked[0].message).edns == -1
    world.answer(f"{APP}. 60 A 10.0.0.20")
    assert values(world.reply, "A") == ["10.0.0.20"]


def test_a_truncated_answer_is_asked_for_over_tcp() -> None:
    world = World()
    world.ask(APP, "A")
    world.answer(flags=dns.flags.TC)
    assert world.asked[0].tcp
    world.answer(f"{APP}. 60 A 10.0.0.20")
    assert values(world.reply, "A") == ["10.0.0.20"]


@pytest.mark.parametrize("forgery", ["id", "question", "no answer", "type"])
def test_rfc5452_what_was_not_asked_is_no_answer(forgery: str) -> None:
    world = World()
    world.ask(APP, "A")
    (ask,) = world.asked
    good = world.response(ask, f"{APP}. 60 A 10.6.6.6")
    bad = {
        "id": bytes((good[0] ^ 1,)) + good[1:],
        "question": good.replace(b"\x03app", b"\x03apq"),
        "no answer": good[:2] + bytes((good[2] & 0x7F,)) + good[3:],
        "type": good[: 12 + len(wire.to_wire(APP))]
        + struct.pack(">H", wire.AAAA)
        + good[14 + len(wire.to_wire(APP)) :],
    }[forgery]
    world.deliver(ask, bad)
    assert not world.replies and world.asked == [ask] and world.machine.counts["spoofed"] == 1
    world.deliver(ask, world.response(ask, f"{APP}. 60 A 10.0.0.20"))
    assert values(world.reply, "A") == ["10.0.0.20"]


def test_rfc5452_somebody_who_guesses_makes_us_ask_over_tcp() -> None:
    world = World()
    world.ask(APP, "A")
    (ask,) = world.asked
    good = world.response(ask, f"{APP}. 60 A 10.6.6.6")
    for guess in range(1, MAX_FOREIGN + 1):
        assert world.asked == [ask]
        world.deliver(ask, bytes((good[0] ^ guess,)) + good[1:])
    world.deliver(ask, good)  # too late
    (again,) = world.asked
    assert again.tcp and again.server == ask.server
    world.answer(f"{APP}. 60 A 10.0.0.20")
    assert values(world.reply, "A") == ["10.0.0.20"]


def test_ids_are_drawn_anew_for_each_question() -> None:
    world = World()
    for number in range(50):
        world.ask(f"n{number}.corp.example", "A")
    assert len({ask.message[:2] for ask in world.asked}) > 45


def test_a_broken_answer_counts_as_a_failure() -> None:
    world = World(TWO)
    world.ask(APP, "A")
    (ask,) = world.asked
    world.deliver(ask, world.response(ask, f"{APP}. 60 A 10.0.0.20")[:-3])
    assert asked_of(world) == "10.0.0.11"


def test_a_referral_is_no_answer() -> None:
    """RFC 2308 2.2: of a server that does not recurse."""
    world = World(TWO)
    world.ask(APP, "A")
    (ask,) = world.asked
    referral = dns.message.from_wire(world.response(ask, authority=["corp.example. 60 NS ns.corp.example."]))
    referral.flags &= ~dns.flags.RA
    world.deliver(ask, referral.to_wire())
    assert asked_of(world) == "10.0.0.11"
    world.answer(authority=["corp.example. 60 NS ns.corp.example."])  # of one that recurses: absence
    assert rcode(world.reply) == "NOERROR"


def test_when_all_refer_to_others_the_client_hears_servfail() -> None:
    world = World()
    world.ask(APP)
    while world.asked:
        (ask,) = world.asked
        referral = dns.message.from_wire(
            world.response(ask, authority=["corp.example. 60 NS ns.corp.example."])
        )
        referral.flags &= ~dns.flags.RA
        world.deliver(ask, referral.to_wire())
    assert rcode(world.reply) == "SERVFAIL"


def ignorant(world: World) -> None:
    """Samba 4.17 without a forwarder, asked for what is not in its zones."""
    (ask,) = world.asked
    message = dns.message.from_wire(world.response(ask, rcode="NXDOMAIN"))
    message.flags &= ~dns.flags.RA
    world.deliver(ask, message.to_wire())


def test_nxdomain_of_a_server_that_cannot_know_is_no_answer() -> None:
    world = World(TWO)
    world.ask(APP, "A")
    ignorant(world)
    assert asked_of(world) == "10.0.0.11"
    world.answer(f"{APP}. 60 A 10.0.0.20")
    assert values(world.reply, "A") == ["10.0.0.20"]


@pytest.mark.parametrize("kind", ["A", "AAAA"])
def test_but_it_is_told_when_nobody_knows_more(kind: str) -> None:
    world = World(TWO)
    world.ask(APP, kind)
    while world.asked:
        ignorant(world)
    assert rcode(world.reply) == "NXDOMAIN"


def test_an_extended_error_is_no_answer() -> None:
    """BADVERS (16) has the lower bits of NOERROR (RFC 6891 6.1.3)."""
    world = World(TWO)
    world.ask(APP, "A")
    (ask,) = world.asked
    world.deliver(ask, world.response(ask, rcode="BADVERS"))
    assert asked_of(world) == "10.0.0.11"


def test_an_answer_over_tcp_that_is_cut_off_is_none() -> None:
    world = World(TWO)
    world.ask(APP, "A")
    world.answer(flags=dns.flags.TC)
    world.answer(f"{APP}. 60 A 10.0.0.20", flags=dns.flags.TC)
    assert asked_of(world) == "10.0.0.11" and not world.asked[0].tcp


@pytest.mark.parametrize("records", [(), (f"{APP}. 60 A 10.0.0.20",)])
def test_what_stands_behind_the_last_record_is_not_passed_on(records: tuple[str, ...]) -> None:
    world = World()
    world.ask(APP, "A", use_edns=False)
    (ask,) = world.asked
    world.deliver(ask, world.response(ask, *records) + b"surplus")
    assert not world.raw[-1].endswith(b"surplus")
    assert values(world.reply, "A") == [record.split()[-1] for record in records]


def test_an_alias_that_loops_is_no_answer() -> None:
    world = World(TWO)
    world.ask(APP, "A")
    (ask,) = world.asked
    good = world.response(ask, f"{APP}. 60 CNAME x.")
    at = good.index(b"\x01x\x00")
    world.deliver(ask, good[: at - 2] + b"\0\2" + struct.pack(">H", 0xC000 | at) + good[at + 3 :])
    assert asked_of(world) == "10.0.0.11"


def test_compression_loops_end() -> None:
    world = World()
    world.ask(APP)
    world.answer()
    (ask,) = world.asked
    question = ask.message[12 : 12 + len(wire.to_wire(APP)) + 4]
    at = 12 + len(question)
    loop = struct.pack(">HHHIH", 0xC000 | at, wire.A, wire.IN, 60, 4) + bytes(4)
    for _ in range(MAX_TRIES):
        if world.asked:
            world.deliver(
                world.asked[0],
                world.asked[0].message[:2] + b"\x80\x80" + struct.pack(">HHHH", 1, 1, 0, 0) + question + loop,
            )
    assert rcode(world.reply) == "SERVFAIL"


def test_the_same_question_of_several_clients_is_asked_once() -> None:
    world = World()
    for client in ("laptop", "tablet", "phone"):
        world.ask(APP, "A", client=client)
    assert len(world.asked) == 1
    world.answer(f"{APP}. 60 A 10.0.0.20")
    assert [client for client, _ in world.replies] == ["laptop", "tablet", "phone"]


def test_questions_under_way_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PENDING", 5)
    world = World()
    for number in range(8):
        world.ask(f"n{number}.corp.example", "A")
    assert len(world.asked) == 5 and len(world.replies) == 3 and world.machine.counts["busy"] == 3


def test_one_client_cannot_take_all_questions_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PER_CLIENT", 3)
    world = World()
    for number in range(4):
        world.ask(f"n{number}.corp.example", "A", client=("fd12::1", 1000 + number, 0, 0))
    assert rcode(world.reply) == "SERVFAIL" and world.machine.counts["busy"] == 1
    world.ask("n9.corp.example", "A", client=("fd12::2", 1000, 0, 0))
    assert len(world.asked) == 4
    world.silence()
    world.replies.clear()
    world.ask("n5.corp.example", "A", client=("fd12::1", 1000, 0, 0))
    assert world.question == ("n5.corp.example", "A")


def test_all_addresses_of_one_client_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PER_CLIENT", 3)
    world = World()
    world.owners = {f"fd12::{number}": "laptop" for number in range(4)}
    for number in range(4):
        world.ask(f"n{number}.corp.example", "A", client=(f"fd12::{number}", 1000, 0, 0))
    assert rcode(world.reply) == "SERVFAIL" and len(world.asked) == 3


def test_a_large_answer_is_truncated_over_udp_and_whole_over_tcp() -> None:
    world = World()
    texts = [f'big.corp.example. 60 TXT "{number:0200d}"' for number in range(20)]
    world.ask("big.corp.example", "TXT")
    world.answer(*texts)
    assert world.reply.flags & dns.flags.TC
    world.ask("big.corp.example", "TXT", tcp=True)
    reply = world.reply
    assert len(values(reply, "TXT")) == 20 and not reply.flags & dns.flags.TC


def test_edns_is_answered_with_edns_and_nothing_else() -> None:
    world = World()
    world.resolve(APP, f"{APP}. 60 A 10.0.0.20")
    world.ask(APP, use_edns=0)
    world.answer()
    world.answer(f"{APP}. 60 A 10.0.0.20")
    reply = world.reply
    assert reply.edns == 0 and values(reply) == [SYNTHETIC]


def test_rfc6891_6_1_3_an_unknown_version_is_refused() -> None:
    world = World()
    world.ask(APP, use_edns=1)
    assert rcode(world.reply) == "BADVERS"


@pytest.mark.parametrize("kind", ["AXFR", "IXFR"])
def test_zones_are_not_transferred(kind: str) -> None:
    world = World()
    world.ask("corp.example", kind)
    assert rcode(world.reply) == "REFUSED" and not world.asked


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (b"", None),
        (b"\x00" * 11, None),
        (b"\x12\x34\x80\x00" + bytes(8), None),  # an answer
        (b"\x12\x34\x01\x00" + bytes(8), "FORMERR"),  # no question
        (b"\x12\x34\x28\x00" + bytes(8), "NOTIMP"),  # an update
        (b"\x12\x34\x01\x00\x00\x01" + bytes(6) + b"\xc0\x0c\x00\x01\x00\x01", "FORMERR"),
        (b"\x12\x34\x01\x00\x00\x01" + bytes(6) + b"\x3f" + b"a" * 20, "FORMERR"),
        (b"\x12\x34\x01\x00\x00\x01" + bytes(6) + b"\x3fa" * 200 + b"\x00\x00\x01\x00\x01", "FORMERR"),
        (b"\x12\x34\x01\x00\x00\x02" + bytes(6) + b"\x00\x00\x01\x00\x01" * 2, "FORMERR"),
    ],
)
def test_what_is_no_question_is_refused_or_ignored(message: bytes, answer: str | None) -> None:
    world = World()
    world.machine.receive(message, "laptop", world.now)
    replies = [order for order in world.machine.transmit() if isinstance(order, Reply)]
    assert not world.asked and len(replies) == (answer is not None)
    if answer:
        assert wire.RCODE & replies[0].message[3] == {"FORMERR": 1, "NOTIMP": 4}[answer]


@pytest.mark.parametrize("edns", [True, False])
@pytest.mark.parametrize("flaw", ["opcode", "questions"])
def test_rfc6891_6_1_1_refusals_have_an_opt_record_where_questions_have(flaw: str, edns: bool) -> None:
    """And the bits that are copied (RFC 4035 3.2.2)."""
    world = World()
    query = dns.message.make_query(APP, "AAAA", use_edns=0 if edns else False)
    query.flags |= dns.flags.CD
    if flaw == "opcode":
        query.set_opcode(dns.opcode.STATUS)
    else:
        query.question.append(dns.message.make_query("b.example", "A").question[0])
    world.send(query.to_wire())
    reply = world.reply
    assert rcode(reply) == ("NOTIMP" if flaw == "opcode" else "FORMERR")
    assert reply.edns == (0 if edns else -1) and reply.flags & dns.flags.CD
    assert reply.opcode() == query.opcode() and reply.id == query.id


def test_a_client_over_tcp_that_has_gone_gets_nothing() -> None:
    world = World()
    world.ask(APP, "A", client="gone", tcp=True)
    world.machine.gone("gone")
    world.answer(f"{APP}. 60 A 10.0.0.20")
    assert not world.replies


def test_random_bytes_never_escape() -> None:
    world, draw = World(), random.Random(3)
    for _ in range(5000):
        good = bytearray(dns.message.make_query(APP, "AAAA", use_edns=0).to_wire())
        for _ in range(draw.randrange(1, 5)):
            good[draw.randrange(len(good))] = draw.randrange(256)
        world.machine.receive(bytes(good), "laptop", world.now)
        for order in world.machine.transmit():
            if isinstance(order, Ask):
                reply = bytearray(
                    world.response(order, f"{APP}. 60 A 10.0.0.20")
                    if order.message.find(b"app") > 0
                    else order.message
                )
                reply[draw.randrange(12, len(reply))] = draw.randrange(256)
                world.machine.answered(order.number, bytes(reply), world.now)
        world.machine.transmit()
        world.machine.events()
        world.now += 10
        world.machine.on_timer(world.now)
