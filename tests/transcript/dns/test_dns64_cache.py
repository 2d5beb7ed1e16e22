"""What the DNS64 keeps, for how long, and what it gives while its servers have nothing, as a transcript."""

from __future__ import annotations

import pytest

from tests.tools.machines.dns64 import SOA, World, config, rcode, values

APP = "app.corp.example"
SYNTHETIC = "2001:db8:64::a00:14"


def test_answers_are_kept_for_as_long_as_they_say_and_count_down() -> None:
    world = World()
    world.resolve(APP, f"{APP}. 60 A 10.0.0.20")
    for passed in (1, 30, 28):
        world.pass_time(passed)
        world.ask(APP)
        assert not world.asked
        assert world.reply.answer[0].ttl == 160 - world.now
    world.pass_time(1)
    world.ask(APP)
    assert world.asked


def test_negative_answers_are_kept_as_their_soa_says() -> None:
    world = World()
    world.ask("nobody.corp.example", "A")
    world.answer(rcode="NXDOMAIN", authority=[SOA.format(ttl=300, minimum=5)])
    world.replies.clear()
    world.pass_time(4)
    world.ask("nobody.corp.example", "A")
    assert rcode(world.reply) == "NXDOMAIN"
    world.pass_time(1)
    world.ask("nobody.corp.example", "A")
    assert world.asked


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED", "silence"])
def test_rfc9520_3_2_failures_are_kept_for_a_second(code: str) -> None:
    world = World()
    for _ in range(2):
        world.ask(APP, "A")
        assert world.asked
        while world.asked:
            world.silence() if code == "silence" else world.answer(rcode=code)
        first = world.reply
        world.pass_time(0.9)
        world.ask(APP, "A", tcp=True)
        assert not world.asked and world.reply.rcode() == first.rcode()
        world.ask("other.corp.example", "A")
        assert world.asked
        world.answer("other.corp.example. 0 A 10.0.0.20")
        world.replies.clear()
        world.pass_time(0.1)


def test_rfc9520_2_3_so_is_what_does_not_validate() -> None:
    world = World()
    world.ask(APP, want_dnssec=True)
    while world.asked:
        world.answer(rcode="NOERROR" if world.checking_disabled else "SERVFAIL")
    world.replies.clear()
    world.ask(APP, want_dnssec=True)
    assert rcode(world.reply) == "SERVFAIL" and not world.asked


def test_failures_take_no_more_room_than_answers() -> None:
    world = World(config(cache_size=3))
    for number in range(9):
        world.ask(f"n{number}.corp.example", "A")
        while world.asked:
            world.answer(rcode="SERVFAIL")
    world.replies.clear()
    for number in range(9):
        world.ask(f"n{number}.corp.example", "A")
    assert len(world.replies) == 3 and len(world.asked) == 6


def test_rfc8767_stale_answers_serve_while_no_server_answers() -> None:
    world = World(config(serve_stale=3600))
    world.resolve(APP, f"{APP}. 60 A 10.0.0.20")
    for _ in range(2):
        world.pass_time(600)
        world.ask(APP)
        world.silence()
        reply = world.reply
        assert values(reply) == [SYNTHETIC] and reply.answer[0].ttl <= 30
    world.pass_time(3600)
    world.ask(APP)
    world.silence()
    assert rcode(world.reply) == "SERVFAIL"


def test_rfc8767_5_the_servers_are_asked_again_after_thirty_seconds() -> None:
    world = World(config(serve_stale=3600))
    world.resolve(APP, f"{APP}. 60 A 10.0.0.20")
    world.pass_time(61)
    world.ask(APP)
    world.silence()
    world.replies.clear()
    for _ in range(2):  # as young each time: it does not become older while it serves
        world.pass_time(14.9)
        world.ask(APP)
        assert not world.asked and world.reply.answer[0].ttl == 30
    world.pass_time(0.2)
    world.ask(APP)
    assert world.asked


def test_rfc8767_not_by_default() -> None:
    world = World()
    world.resolve(APP, f"{APP}. 60 A 10.0.0.20")
    world.pass_time(61)
    world.ask(APP)
    world.silence()
    assert rcode(world.reply) == "SERVFAIL"


def test_a_name_that_is_gone_is_not_served_stale() -> None:
    world = World(config(serve_stale=3600))
    world.resolve(APP, f"{APP}. 60 A 10.0.0.20")
    world.pass_time(61)
    world.ask(APP)
    world.answer(rcode="NXDOMAIN", authority=[SOA.format(ttl=60, minimum=60)])
    assert rcode(world.reply) == "NXDOMAIN"


def test_the_cache_is_bounded() -> None:
    world = World(config(cache_size=3))
    for number in range(9):
        world.resolve(f"n{number}.corp.example", f"n{number}.corp.example. 60 A 10.0.0.{number}")
    assert len(world.machine.cache) == 3
