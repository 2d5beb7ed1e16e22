"""What the DNS64 makes of the bits DO, CD and AD, and of servers that validate (RFC 6147 5.5), as a transcript."""

from __future__ import annotations

import dns.flags
import dns.message
import pytest

from tests.tools.machines.dns64 import SOA, World, config, rcode, signature, values

APP = "app.corp.example"
SYNTHETIC = "2001:db8:64::a00:14"
MAPPED = [
    f"{APP}. 60 AAAA ::ffff:192.0.2.1",
    f"{APP}. 60 RRSIG {signature('AAAA')}",
]
CD = int(dns.flags.RD | dns.flags.CD)


def signed(*, dnssec: bool, checking_disabled: bool = False) -> tuple[World, int]:
    """A world after a question for AAAA whose answers are both validated; the flags of the reply."""
    world = World()
    flags = int(dns.flags.RD) | (int(dns.flags.CD) if checking_disabled else 0)
    world.ask(APP, want_dnssec=dnssec, flags=flags)
    world.answer(authority=[SOA.format(ttl=300, minimum=300)], flags=dns.flags.AD)
    if world.asked:
        world.answer(f"{APP}. 60 A 10.0.0.20", flags=dns.flags.AD)
    return world, int(world.replies[0][1].flags)


def test_rfc6147_5_5_without_do_synthetic_answers_are_never_called_authentic() -> None:
    world, flags = signed(dnssec=False)
    assert values(world.reply) == [SYNTHETIC] and not flags & dns.flags.AD


def test_rfc6147_5_5_with_do_they_are_when_both_answers_were_validated() -> None:
    world, flags = signed(dnssec=True)
    assert values(world.reply) == [SYNTHETIC] and flags & dns.flags.AD


def test_rfc6147_5_5_with_cd_and_do_nothing_is_synthesised() -> None:
    world, flags = signed(dnssec=True, checking_disabled=True)
    assert not values(world.reply) and not world.asked and flags & dns.flags.CD


def test_rfc6147_5_5_a_bogus_answer_stays_an_error() -> None:
    world = World()
    world.ask(APP, want_dnssec=True)
    while world.asked:
        world.answer(rcode="SERVFAIL")
    assert rcode(world.reply) == "SERVFAIL"


@pytest.mark.parametrize("extra", [[], [f"{APP}. 60 AAAA 2001:db8::5"]])
def test_rfc6147_5_5_with_cd_and_do_the_data_is_as_it_came(extra: list[str]) -> None:
    """A record less, or its signature, and the validator calls the answer bogus."""
    for excluded in (False, True):
        world = World()
        world.ask(APP, want_dnssec=True, flags=CD, excluded=excluded)
        world.answer(*MAPPED, *extra)
        reply = world.reply
        assert sorted(values(reply)) == sorted([record.split()[-1] for record in [MAPPED[0], *extra]])
        assert len(values(reply, "RRSIG")) == 1 and reply.flags & dns.flags.CD and not world.asked


def test_rfc6147_5_5_with_cd_and_do_excluded_names_are_as_they_came() -> None:
    world = World(config(domains=[APP]))
    world.ask(APP, want_dnssec=True, flags=CD)
    world.answer(*MAPPED)
    assert len(world.reply.answer) == 2


def test_rfc6147_5_5_with_cd_and_do_the_well_known_name_has_no_addresses() -> None:
    """RFC 7050 3: who looks for the prefix asks with CD=0."""
    world = World()
    world.ask("ipv4only.arpa", want_dnssec=True, flags=CD)
    assert rcode(world.reply) == "NOERROR" and not world.asked
    world.ask("ipv4only.arpa", want_dnssec=True)
    assert len(values(world.reply)) == 2


def test_rfc6147_5_5_with_cd_alone_addresses_are_made() -> None:
    world = World()
    world.ask(APP, flags=CD)
    assert world.checking_disabled
    world.answer(authority=[SOA.format(ttl=300, minimum=300)])
    assert world.checking_disabled
    world.answer(f"{APP}. 60 A 10.0.0.20")
    reply = world.reply
    assert values(reply) == [SYNTHETIC] and reply.flags & dns.flags.CD


@pytest.mark.parametrize("dnssec", [True, False])
@pytest.mark.parametrize("code", ["NOERROR", "NXDOMAIN"])
def test_rfc6147_5_5_a_bogus_denial_of_aaaa_stays_an_error(code: str, dnssec: bool) -> None:
    """The server's SERVFAIL alone does not tell it from others; that it answers with CD does (RFC 4035 3.2.2)."""
    world = World()
    world.ask(APP, want_dnssec=dnssec)
    while world.asked and not world.checking_disabled:
        assert world.question == (APP, "AAAA")
        world.answer(rcode="SERVFAIL")
    assert world.question == (APP, "AAAA")
    world.answer(rcode=code, authority=[SOA.format(ttl=300, minimum=300)])
    assert rcode(world.reply) == "SERVFAIL" and not world.asked


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED", "silence"])
def test_rfc6147_5_1_2_a_failure_with_cd_too_counts_as_an_empty_answer(code: str) -> None:
    world = World()
    world.ask(APP, want_dnssec=True)
    while world.question == (APP, "AAAA"):
        if not world.checking_disabled:
            world.answer(rcode="SERVFAIL")
        elif code == "silence":
            world.pass_time(1.0)
        else:
            world.answer(rcode=code)
    assert not world.checking_disabled
    world.answer(f"{APP}. 60 A 10.0.0.20", flags=dns.flags.AD)
    reply = world.reply
    assert values(reply) == [SYNTHETIC] and not reply.flags & dns.flags.AD


def test_a_check_leaves_time_for_the_a_question() -> None:
    world = World()
    world.ask(APP)
    for _ in range(2):
        world.now += 0.9
        world.answer(rcode="SERVFAIL")
    while world.checking_disabled:
        world.pass_time(0.1)
    assert world.now < 103.3  # of 104.5
    world.answer(f"{APP}. 60 A 10.0.0.20")
    assert values(world.reply) == [SYNTHETIC]


def test_rfc6147_5_5_who_does_not_want_validation_is_not_checked_for() -> None:
    world = World()
    world.ask(APP, flags=CD)
    while world.question == (APP, "AAAA"):
        world.answer(rcode="SERVFAIL")
    assert world.machine.counts["upstream"] == 3  # two tries of AAAA, and A


def test_one_servfail_among_other_failures_is_enough_to_check() -> None:
    world = World(config(servers=("10.0.0.10", "10.0.0.11", "10.0.0.12")))
    world.ask(APP, want_dnssec=True)
    for code in ("SERVFAIL", "REFUSED", "REFUSED"):
        world.answer(rcode=code)
    assert world.question == (APP, "AAAA") and world.checking_disabled
    world.answer()
    assert rcode(world.reply) == "SERVFAIL"


def test_rfc6147_5_5_a_bogus_a_answer_stays_an_error() -> None:
    world = World()
    world.ask(APP, want_dnssec=True)
    world.answer(authority=[SOA.format(ttl=300, minimum=300)], flags=dns.flags.AD)
    while world.asked:
        world.answer(rcode="SERVFAIL")
    assert rcode(world.reply) == "SERVFAIL"


@pytest.mark.parametrize("aaaa", [True, False])
def test_rfc6147_5_5_one_answer_that_was_not_validated_makes_both_so(aaaa: bool) -> None:
    world = World()
    world.ask(APP, want_dnssec=True)
    world.answer(authority=[SOA.format(ttl=300, minimum=300)], flags=dns.flags.AD if aaaa else 0)
    world.answer(f"{APP}. 60 A 10.0.0.20", flags=0 if aaaa else dns.flags.AD)
    assert not world.reply.flags & dns.flags.AD


def test_rfc6147_5_5_signatures_of_a_records_are_not_those_of_synthetic_ones() -> None:
    world = World()
    chain = [f"www.corp.example. 60 CNAME {APP}.", f"www.corp.example. 60 RRSIG {signature('CNAME')}"]
    world.ask("www.corp.example", want_dnssec=True)
    world.answer(*chain, authority=[SOA.format(ttl=300, minimum=300)])
    world.answer(*chain, f"{APP}. 60 A 10.0.0.20", f"{APP}. 60 RRSIG {signature('A')}")
    reply = world.reply
    assert values(reply) == [SYNTHETIC] and values(reply, "CNAME") == [f"{APP}."]
    assert [value.split()[0] for value in values(reply, "RRSIG")] == ["CNAME"]


@pytest.mark.parametrize("kind", ["A", "AAAA", "TXT"])
def test_rfc6840_5_7_ad_in_a_question_asks_for_ad_in_the_answer(kind: str) -> None:
    world = World()
    records = {"A": "10.0.0.20", "AAAA": "2001:db8::5", "TXT": '"x"'}
    for flags in (dns.flags.RD | dns.flags.AD, dns.flags.RD):
        world.ask(APP, kind, flags=int(flags))
        asked = dns.message.from_wire(world.asked[0].message).flags
        assert asked & dns.flags.AD == flags & dns.flags.AD
        world.answer(f"{APP}. 60 {kind} {records[kind]}", flags=dns.flags.AD)
        assert world.reply.flags & dns.flags.AD == flags & dns.flags.AD  # RFC 6840 5.8


def test_the_bits_make_questions_different() -> None:
    world = World()
    for dnssec in (False, True):
        for flags in (0, dns.flags.CD, dns.flags.AD, dns.flags.CD | dns.flags.AD):
            world.ask(APP, "A", want_dnssec=dnssec, flags=int(dns.flags.RD | flags))
            world.answer(f"{APP}. 60 A 10.0.0.20")
    assert world.machine.counts["upstream"] == 8
