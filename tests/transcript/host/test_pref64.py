"""The NAT64 prefixes of a network: from ``ipv4only.arpa`` (RFC 7050) and from advertisements (RFC 8781)."""

from __future__ import annotations

import math
from ipaddress import IPv6Address, IPv6Network

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manageout.protocol.host.pref64 import (
    LENGTHS,
    MAX_PREFIXES,
    MAX_TTL,
    NAME,
    WELL_KNOWN,
    Answer,
    Pref64Discovery,
    prefixes_of,
    query,
    read,
)
from manageout.wire.address import rfc6052_embed

SITE = IPv6Network("fd12:3456:789a:7777::/96")
ASKED = query(0x1234)
SOA = "ns.corp.example. admin.corp.example. 1 3600 600 86400 30"


def synthesised(*prefixes: str) -> list[IPv6Address]:
    return [rfc6052_embed(IPv6Network(prefix), known) for prefix in prefixes for known in WELL_KNOWN]


def answer(
    *addresses: str, ttl: int = 60, rcode: int = 0, soa: int | None = None, asked: bytes = ASKED
) -> bytes:
    message = dns.message.make_response(dns.message.from_wire(asked))
    message.set_rcode(dns.rcode.Rcode(rcode))
    if addresses:
        message.answer.append(dns.rrset.from_text(f"{NAME}.", ttl, "IN", "AAAA", *addresses))
    if soa is not None:
        message.authority.append(dns.rrset.from_text("arpa.", soa, "IN", "SOA", SOA))
    return message.to_wire()


# --- From addresses to prefixes -------------------------------------------------------------------------


@pytest.mark.parametrize("length", LENGTHS)
def test_rfc7050_3_every_length(length: int) -> None:
    prefix = str(IPv6Network((IPv6Address("2001:db8:1234:5678::"), length), strict=False))
    assert prefixes_of(synthesised(prefix)) == [IPv6Network(prefix)]


def test_rfc7050_3_all_prefixes_in_the_order_received() -> None:
    prefixes = ["fd12:3456:789a:7777::/96", "64:ff9b::/96", "2001:db8::/32"]
    assert prefixes_of(synthesised(*prefixes)) == [IPv6Network(prefix) for prefix in prefixes]


def test_rfc7050_3_one_of_the_two_addresses_is_enough() -> None:
    assert prefixes_of(synthesised("64:ff9b::/96")[:1]) == [IPv6Network("64:ff9b::/96")]


def test_rfc7050_3_an_address_with_two_places_is_decided_by_the_other_one() -> None:
    # The prefix itself holds 192.0.0.170 where a /32 would have it.
    prefix = "2001:db8:c000:aa::/64"
    first, second = synthesised("2001:db8:c000:aa::/96")
    assert prefixes_of([first, second]) == [IPv6Network("2001:db8:c000:aa::/96")]
    assert prefixes_of(synthesised(prefix)) == [IPv6Network(prefix)]


def test_addresses_of_something_else_show_nothing() -> None:
    assert prefixes_of([IPv6Address("2001:db8::1"), IPv6Address("::"), IPv6Address("64:ff9b::8.8.8.8")]) == []


def test_a_flood_of_prefixes_is_bounded() -> None:
    many = synthesised(*(f"2001:db8:{number:x}::/96" for number in range(1, 50)))
    assert len(prefixes_of(many)) == MAX_PREFIXES


@given(st.integers(0, 2**128 - 1), st.sampled_from(LENGTHS))
def test_what_was_embedded_is_found(address: int, length: int) -> None:
    network = IPv6Network((address & ~(0xFF << 56), length), strict=False)
    assert network in prefixes_of([rfc6052_embed(network, known) for known in WELL_KNOWN])


# --- Messages -------------------------------------------------------------------------------------------


def test_rfc7050_3_the_question_does_not_disable_checking() -> None:
    message = dns.message.from_wire(ASKED)
    assert message.question[0].to_text() == "ipv4only.arpa. IN AAAA"
    assert message.flags == dns.flags.RD


def test_an_answer_with_its_ttl() -> None:
    message = answer(*map(str, synthesised(str(SITE))), ttl=600)
    assert read(message, ASKED) == Answer((SITE,), 600)


def test_through_an_alias() -> None:
    message = dns.message.make_response(dns.message.from_wire(ASKED))
    message.answer.append(dns.rrset.from_text(f"{NAME}.", 60, "IN", "CNAME", "x.example."))
    message.answer.append(
        dns.rrset.from_text("x.example.", 30, "IN", "AAAA", *map(str, synthesised(str(SITE))))
    )
    assert read(message.to_wire(), ASKED) == Answer((SITE,), 30)


def test_no_dns64_here_and_for_how_long() -> None:
    assert read(answer(soa=90), ASKED) == Answer((), 30)  # the SOA's own field is the smaller
    assert read(answer(soa=10, rcode=dns.rcode.NXDOMAIN), ASKED) == Answer((), 10)
    assert read(answer(), ASKED) == Answer((), 60)
    assert read(answer("2001:db8::1"), ASKED) == Answer((), 60)


def test_what_is_no_answer() -> None:
    good = answer(*map(str, synthesised(str(SITE))))
    other = dns.message.make_query("other.example", "AAAA", id=0x1234).to_wire()
    for message in (
        b"",
        ASKED,
        b"\0\0" + good[2:],
        answer(asked=other),
        answer(rcode=dns.rcode.SERVFAIL),
        answer(rcode=dns.rcode.REFUSED),
        good[:-1],
        good[:40],
    ):
        assert read(message, ASKED) is None


def test_a_very_long_ttl_is_cut() -> None:
    assert read(answer(*map(str, synthesised(str(SITE))), ttl=2**31 - 1), ASKED) == Answer((SITE,), MAX_TTL)


@given(st.binary(max_size=120))
def test_any_bytes_are_survived(data: bytes) -> None:
    read(data, ASKED)
    read(ASKED[:2] + b"\x80\0\0\1\0\2\0\1\0\0" + ASKED[12:] + data, ASKED)


# --- Keeping them fresh ---------------------------------------------------------------------------------


def test_rfc7050_3_asked_again_ten_seconds_before_the_end() -> None:
    discovery = Pref64Discovery()
    assert discovery.ask_at == math.inf
    discovery.start(5)
    assert discovery.ask_at == 5
    discovery.note(Answer((SITE,), 600), 5)
    assert discovery.ask_at == 595
    assert (discovery.prefixes, discovery.origin) == ((SITE,), "ipv4only.arpa")


def test_a_short_ttl_is_no_storm() -> None:
    discovery = Pref64Discovery()
    discovery.note(Answer((SITE,), 0), 0)
    assert discovery.ask_at == 1


def test_a_negative_answer_holds_for_its_ttl() -> None:
    discovery = Pref64Discovery()
    discovery.note(Answer((SITE,), 600), 0)
    discovery.note(Answer((), 30), 590)
    assert (discovery.prefixes, discovery.origin, discovery.ask_at) == ((), "", 620)


def test_silence_is_waited_out_longer_and_longer_and_what_was_known_holds() -> None:
    discovery = Pref64Discovery()
    discovery.note(Answer((SITE,), 600), 0)
    waits = []
    for _ in range(8):
        discovery.note(None, 0)
        waits.append(discovery.ask_at)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert discovery.prefixes == (SITE,)


def test_rfc8781_5_1_an_advertised_prefix_goes_first() -> None:
    discovery = Pref64Discovery()
    discovery.note(Answer((IPv6Network("64:ff9b::/96"),), 600), 0)
    discovery.advertised = (SITE,)
    assert (discovery.prefixes, discovery.origin) == ((SITE,), "router advertisement")
    discovery.advertised = ()
    assert discovery.prefixes == (IPv6Network("64:ff9b::/96"),)


def test_without_a_server_nothing_is_known() -> None:
    discovery = Pref64Discovery()
    discovery.note(Answer((SITE,), 600), 0)
    discovery.stop()
    assert (discovery.prefixes, discovery.ask_at) == ((), math.inf)


def test_the_well_known_addresses() -> None:
    assert tuple(map(str, WELL_KNOWN)) == ("192.0.0.170", "192.0.0.171")
