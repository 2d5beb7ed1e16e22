"""DNS64 as a transcript, a test for each clause of RFC 6147 section 5 that a resolver in front of others obeys."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

import dns.flags
import dns.rdatatype
import pytest

from manageout.protocol.dns.prefixes import WELL_KNOWN_PREFIX
from tests.tools.machines.dns64 import (
    ANYTHING,
    NAT64,
    SOA,
    World,
    config,
    rcode,
    record,
    signature,
    values,
)

APP = "app.corp.example"
SYNTHETIC = "2001:db8:64::a00:14"


def test_rfc6147_5_1_names_with_only_ipv4_addresses_get_ipv6_ones() -> None:
    world = World()
    world.ask(APP)
    assert world.question == (APP, "AAAA")
    world.answer(authority=[SOA.format(ttl=300, minimum=300)])
    assert world.question == (APP, "A")
    world.answer(f"{APP}. 60 A 10.0.0.20")
    reply = world.reply
    assert values(reply) == [SYNTHETIC] and values(reply, "A") == []
    assert rcode(reply) == "NOERROR" and reply.flags & dns.flags.RA and not reply.flags & dns.flags.AA


def test_rfc6147_5_1_1_real_aaaa_records_are_left_alone() -> None:
    world = World()
    reply = world.resolve(APP, aaaa=[f"{APP}. 60 AAAA 2001:db8::5"])
    assert values(reply) == ["2001:db8::5"] and not world.asked


def test_rfc6147_5_1_2_nxdomain_is_final() -> None:
    world = World()
    world.ask("nobody.corp.example")
    world.answer(rcode="NXDOMAIN", authority=[SOA.format(ttl=300, minimum=300)])
    reply = world.reply
    assert rcode(reply) == "NXDOMAIN" and not world.asked and reply.authority


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED", "NOTIMP", "FORMERR"])
def test_rfc6147_5_1_2_any_other_error_counts_as_an_empty_answer(code: str) -> None:
    world = World()
    world.ask(APP)
    while world.question == (APP, "AAAA"):
        world.answer(rcode=code)
    world.answer(f"{APP}. 60 A 10.0.0.20")
    assert values(world.reply) == [SYNTHETIC]


def test_rfc6147_5_1_3_silence_counts_as_an_empty_answer() -> None:
    world = World()
    world.ask(APP)
    while world.question == (APP, "AAAA"):
        world.pass_time(1.0)
    world.answer(f"{APP}. 60 A 10.0.0.20")
    assert values(world.reply) == [SYNTHETIC]


def test_rfc6147_5_1_4_excluded_addresses_alone_count_as_none() -> None:
    world = World()
    reply = world.resolve(APP, f"{APP}. 60 A 10.0.0.20", aaaa=[f"{APP}. 60 AAAA ::ffff:10.0.0.20"])
    assert values(reply) == [SYNTHETIC]


def test_rfc6147_5_1_4_excluded_addresses_are_never_returned() -> None:
    world = World()
    reply = world.resolve(APP, aaaa=[f"{APP}. 60 AAAA ::ffff:10.0.0.20", f"{APP}. 60 AAAA 2001:db8::5"])
    assert values(reply) == ["2001:db8::5"] and not world.asked


def test_rfc2308_5_absence_behind_excluded_addresses_can_be_kept() -> None:
    """Not for longer than the excluded records: in their place there may be others then."""
    world = World()
    chain = f"www.corp.example. 50 CNAME {APP}."
    world.ask("www.corp.example")
    world.answer(chain, f"{APP}. 45 AAAA ::ffff:10.0.0.20", f"{APP}. 45 RRSIG {signature('AAAA')}")
    world.answer(chain, authority=[SOA.format(ttl=300, minimum=300)])
    reply = world.reply
    assert rcode(reply) == "NOERROR" and [rrset.to_text() for rrset in reply.answer] == [
        f"www.corp.example. 50 IN CNAME {APP}."
    ]
    assert [(rrset.rdtype, rrset.ttl) for rrset in reply.authority] == [(dns.rdatatype.SOA, 45)]
    world.pass_time(44)
    world.ask("www.corp.example")
    assert not world.asked
    world.pass_time(1)
    world.ask("www.corp.example")
    assert world.asked


def test_rfc6147_5_1_4_the_translation_prefix_itself_is_excluded() -> None:
    world = World(config(excluded=()))
    reply = world.resolve(APP, f"{APP}. 60 A 10.0.0.20", aaaa=[f"{APP}. 60 AAAA 2001:db8:64::bad"])
    assert values(reply) == [SYNTHETIC]


def test_rfc6147_5_1_5_chains_are_kept_and_end_in_synthetic_addresses() -> None:
    world = World()
    chain = ["www.corp.example. 50 CNAME web.corp.example.", "web.corp.example. 40 CNAME app.corp.example."]
    world.ask("www.corp.example")
    world.answer(*chain, authority=[SOA.format(ttl=300, minimum=300)])
    world.answer(*chain, f"{APP}. 60 A 10.0.0.20")
    reply = world.reply
    assert values(reply, "CNAME") == ["web.corp.example.", "app.corp.example."]
    assert values(reply) == [SYNTHETIC] and reply.answer[-1].name.to_text() == f"{APP}."


def test_rfc6147_5_1_5_dname_records_are_kept() -> None:
    world = World()
    chain = ["old.example. 50 DNAME corp.example.", "app.old.example. 50 CNAME app.corp.example."]
    world.ask("app.old.example")
    world.answer(*chain, authority=[SOA.format(ttl=300, minimum=300)])
    world.answer(*chain, f"{APP}. 60 A 10.0.0.20")
    reply = world.reply
    assert values(reply, "DNAME") == ["corp.example."] and values(reply) == [SYNTHETIC]


def test_rfc6147_5_1_6_an_error_to_the_a_query_is_the_answer() -> None:
    world = World()
    world.ask(APP)
    world.answer(authority=[SOA.format(ttl=300, minimum=300)])
    while world.asked:
        world.answer(rcode="REFUSED")
    assert rcode(world.reply) == "REFUSED"


def test_rfc6147_5_1_6_nxdomain_to_the_a_query_is_the_answer() -> None:
    world = World()
    world.ask(APP)
    world.answer(authority=[SOA.format(ttl=300, minimum=300)])
    world.answer(rcode="NXDOMAIN", authority=[SOA.format(ttl=100, minimum=100)])
    assert rcode(world.reply) == "NXDOMAIN"


def test_rfc6147_5_4_an_empty_a_answer_gives_the_sections_of_the_aaaa_answer() -> None:
    world = World()
    world.ask(APP)
    world.answer(authority=[SOA.format(ttl=77, minimum=77)])
    world.answer(authority=[SOA.format(ttl=33, minimum=33)])
    reply = world.reply
    assert rcode(reply) == "NOERROR" and not reply.answer
    assert [rrset.ttl for rrset in reply.authority] == [77]


@pytest.mark.parametrize(
    ("a", "soa", "wanted"),
    [(60, (300, 3600), 60), (900, (300, 3600), 300), (5, (5, 5), 5), (900, (3600, 300), 300)],
)
def test_rfc6147_5_1_7_the_lifetime_is_the_shorter_of_a_and_soa(
    a: int, soa: tuple[int, int], wanted: int
) -> None:
    """Of the SOA: for how long it says that there is no AAAA record (RFC 2308 5)."""
    reply = World().resolve(APP, f"{APP}. {a} A 10.0.0.20", soa=soa)
    assert [rrset.ttl for rrset in reply.answer] == [wanted]


@pytest.mark.parametrize(("a", "wanted"), [(60, 60), (3600, 600)])
def test_rfc6147_5_1_7_without_soa_it_is_at_most_600_seconds(a: int, wanted: int) -> None:
    world = World()
    world.ask(APP)
    world.answer()
    world.answer(f"{APP}. {a} A 10.0.0.20")
    assert [rrset.ttl for rrset in world.reply.answer] == [wanted]


def test_rfc6147_5_1_7_the_prefix_follows_from_the_ipv4_range() -> None:
    branch = IPv6Network("2001:db8:65::/96")
    ranges = [(NAT64, (IPv4Network("10.0.0.0/24"),)), (branch, (IPv4Network("10.0.1.0/24"),))]
    world = World(config(prefixes=ranges))
    records = [f"{APP}. 60 A {v4}" for v4 in ("10.0.0.20", "10.0.1.20", "10.9.9.9")]
    assert sorted(values(world.resolve(APP, *records))) == [SYNTHETIC, "2001:db8:65::a00:114"]


def test_rfc6147_5_1_7_several_prefixes_give_several_addresses() -> None:
    second = IPv6Network("2001:db8:65::/96")
    world = World(config(prefixes=[(NAT64, ANYTHING), (second, ANYTHING)]))
    reply = world.resolve(APP, f"{APP}. 60 A 10.0.0.20")
    assert sorted(values(reply)) == [SYNTHETIC, "2001:db8:65::a00:14"]


def test_rfc6052_3_1_the_well_known_prefix_is_not_for_private_addresses() -> None:
    world = World(config(prefixes=[(WELL_KNOWN_PREFIX, ANYTHING)]))
    assert values(world.resolve(APP, f"{APP}. 60 A 10.0.0.20")) == []
    assert values(world.resolve("www.example", "www.example. 60 A 8.8.4.4")) == ["64:ff9b::808:404"]


NOT_MAPPED = {
    "not in the ranges": config(prefixes=[(NAT64, (IPv4Network("10.0.0.0/8"),))]),
    "private, with the Well-Known Prefix": config(prefixes=[(WELL_KNOWN_PREFIX, ANYTHING)]),
}
UNMAPPED = {"not in the ranges": "192.0.2.5", "private, with the Well-Known Prefix": "10.0.0.5"}


@pytest.mark.parametrize("case", NOT_MAPPED)
@pytest.mark.parametrize("code", ["SERVFAIL", "FORMERR", "REFUSED", "NOTIMP", "silence", "NOERROR"])
def test_rfc6147_5_4_a_records_are_never_the_answer_to_a_question_for_aaaa(case: str, code: str) -> None:
    world = World(NOT_MAPPED[case])
    world.ask(APP, want_dnssec=True)
    while world.question == (APP, "AAAA"):
        if code == "silence":
            world.pass_time(1.0)
        else:
            authority = [SOA.format(ttl=60, minimum=60)] if code == "NOERROR" else []
            world.answer(rcode=code, authority=authority)
    world.answer(f"{APP}. 60 A {UNMAPPED[case]}", f"{APP}. 60 RRSIG {signature('A')}", flags=dns.flags.AD)
    reply = world.reply
    assert rcode(reply) == {"silence": "SERVFAIL", "FORMERR": "SERVFAIL"}.get(code, code)
    assert not reply.answer and not reply.flags & dns.flags.AD


def test_rfc6147_5_4_nor_is_the_word_that_there_are_none() -> None:
    """It says nothing of the AAAA records, whose question failed: nobody may keep it as their absence."""
    world = World()
    world.ask(APP, want_dnssec=True)
    while world.question == (APP, "AAAA"):
        world.answer(rcode="SERVFAIL")
    world.answer(authority=[SOA.format(ttl=3600, minimum=3600)], flags=dns.flags.AD)
    reply = world.reply
    assert rcode(reply) == "SERVFAIL" and not reply.authority and not reply.flags & dns.flags.AD


def test_rfc6147_5_3_2_the_additional_section_is_passed_on() -> None:
    world = World()
    world.ask("corp.example", "MX")
    world.answer(
        "corp.example. 60 MX 10 mail.corp.example.", additional=["mail.corp.example. 60 A 10.0.0.25"]
    )
    reply = world.reply
    assert [rrset.to_text() for rrset in reply.additional] == ["mail.corp.example. 60 IN A 10.0.0.25"]


def test_rfc6147_5_3_2_also_behind_synthetic_addresses() -> None:
    world = World()
    world.ask(APP)
    world.answer()
    world.answer(
        f"{APP}. 60 A 10.0.0.20",
        authority=["corp.example. 60 NS ns.corp.example."],
        additional=["ns.corp.example. 60 A 10.0.0.10"],
    )
    reply = world.reply
    assert values(reply) == [SYNTHETIC] and len(reply.authority) == len(reply.additional) == 1


@pytest.mark.parametrize(
    ("kind", "data"), [("A", "10.0.0.20"), ("TXT", '"hello"'), ("TYPE65280", "\\# 2 abcd")]
)
def test_rfc6147_5_3_3_other_types_pass_unchanged(kind: str, data: str) -> None:
    world = World()
    world.ask(APP, kind)
    assert world.question == (APP, kind)
    world.answer(f"{APP}. 60 {kind} {data}")
    assert values(world.reply, kind) == [data]


@pytest.mark.parametrize(
    ("name", "kind", "klass"),
    [
        ("version.bind", "TXT", "CH"),
        (APP, "AAAA", "CH"),
        (APP, "A", "HS"),
        (APP, "A", "ANY"),
        (APP, "A", "CLASS2"),
    ],
)
def test_rfc6147_5_1_only_class_in_is_served(name: str, kind: str, klass: str) -> None:
    world = World()
    world.ask(name, kind, rdclass=klass)
    reply = world.reply
    assert rcode(reply) == "REFUSED" and not reply.answer and not world.asked


def test_nothing_is_synthesised_for_excluded_domains_and_clients() -> None:
    world = World(config(domains=["v4.corp.example"]))
    world.ask("a.v4.corp.example")
    world.answer()
    assert not world.reply.answer and not world.asked
    world.ask(APP, excluded=True)
    world.answer(authority=[SOA.format(ttl=300, minimum=300)])
    assert not world.reply.answer and not world.asked
    assert values(world.resolve(APP, f"{APP}. 60 A 10.0.0.20")) == [SYNTHETIC]


def test_names_of_the_block_list_do_not_exist_and_are_reported() -> None:
    world = World(config(blocked=["isatap", "wpad", "isatap.corp.example"]))
    for name in ("isatap", "ISATAP.corp.example", "x.wpad"):
        world.ask(name, "A", client="laptop")
        reply = world.reply
        assert rcode(reply) == "NXDOMAIN" and not world.asked
        (soa,) = reply.authority  # so that clients and resolvers before us can keep it (RFC 2308 5)
        assert reply.question[0].name.is_subdomain(soa.name)
    world.ask("isatapx.corp.example", "A")
    assert world.asked
    assert [event.client for event in world.machine.events()] == ["laptop"] * 3


def test_rfc8880_ipv4only_arpa_is_answered_here() -> None:
    world = World()
    world.ask("ipv4only.arpa")
    assert sorted(values(world.reply)) == ["2001:db8:64::c000:aa", "2001:db8:64::c000:ab"]
    world.ask("ipv4only.arpa", "A")
    assert values(world.reply, "A") == ["192.0.0.170", "192.0.0.171"]
    world.ask("ipv4only.arpa", "ANY")
    assert values(world.reply, "A") == ["192.0.0.170", "192.0.0.171"]
    world.ask("ipv4only.arpa", "SOA")
    assert len(values(world.reply, "SOA")) == 1
    world.ask("ipv4only.arpa", "MX")
    reply = world.reply
    assert rcode(reply) == "NOERROR" and not reply.answer and reply.authority
    world.ask("x.ipv4only.arpa")
    assert rcode(world.reply) == "NXDOMAIN"
    assert not world.asked


def test_rfc8880_its_ds_record_is_asked_of_the_servers() -> None:
    world = World()
    world.ask("ipv4only.arpa", "DS")
    assert world.question == ("ipv4only.arpa", "DS")


@pytest.mark.parametrize("name", ["_dns.resolver.arpa", "resolver.arpa"])
@pytest.mark.parametrize("kind", ["SVCB", "AAAA"])
def test_rfc9462_6_1_the_servers_encrypted_resolvers_are_not_told(name: str, kind: str) -> None:
    """Windows would ask them in our place, and get nothing made."""
    world = World()
    world.ask(name, kind)
    reply = world.reply
    assert rcode(reply) == "NOERROR" and not reply.answer and not world.asked
    assert reply.authority[0].rdtype == dns.rdatatype.SOA
    world.ask("resolver.arpa.corp.example", kind)
    assert world.asked


def test_the_question_comes_back_as_it_was_written() -> None:
    world = World()
    for name in ("APP.corp.Example", "app.CORP.example"):
        world.ask(name)
        if world.asked:
            world.answer()
            world.answer(f"{APP}. 60 A 10.0.0.20")
        reply = world.reply
        assert reply.question[0].name.to_text() == f"{name}." and values(reply) == [SYNTHETIC]


def test_records_are_read_as_the_tests_write_them() -> None:
    assert record(SOA.format(ttl=5, minimum=7)).ttl == 5
