"""Which question follows which answer (RFC 6147 5), a step at a time."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest

from manageout.errors import WireError
from manageout.protocol.dns.cache import key_of
from manageout.protocol.dns.job import Job, NoData, Question, Stage, failing, first, step, synthesises
from manageout.protocol.dns.prefixes import Prefixes
from manageout.wire import dns

PREFIXES = Prefixes(
    [(IPv6Network("fd00:64::/96"), (IPv4Network("0.0.0.0/0"),))], [IPv6Network("::ffff:0:0/96")]
)
NAME = dns.to_wire("app.corp.example")
APP6, EXCLUDED = IPv6Address("fd12::20").packed, IPv6Address("::ffff:10.0.0.20").packed
APP4 = IPv4Address("10.0.0.20").packed
MADE = IPv6Address("fd00:64::10.0.0.20").packed


def job(kind: int = dns.AAAA, name: bytes = NAME, flags: int = dns.RD, *, excluded: bool = False) -> Job:
    question = struct.pack(">HHHHH", flags, 1, 0, 0, 0) + name + struct.pack(">HH", kind, dns.IN)
    query = dns.parse_query(b"\x12\x34" + question)
    return Job(key_of(query, excluded=excluded), query, "somebody", 10.0)


def answer(
    kind: int, values: Sequence[bytes] = (), rcode: int = dns.NOERROR, name: bytes = NAME, asked: int = 0
) -> bytes:
    head = struct.pack(">HHHHHH", 0x1234, dns.QR | dns.RA | rcode, 1, len(values), 0, 0)
    records = (b"\xc0\x0c" + struct.pack(">HHIH", kind, dns.IN, 60, len(each)) + each for each in values)
    return head + name + struct.pack(">HH", asked or kind, dns.IN) + b"".join(records)


def kind_of(question: Question | object) -> int:
    assert isinstance(question, Question)
    kind, klass = struct.unpack(">HH", question.question[-4:])
    assert klass == dns.IN
    return int(kind)


def addresses(reply: bytes | object, kind: int = dns.AAAA) -> list[bytes]:
    assert isinstance(reply, bytes)
    query = dns.parse_query(reply[:6] + bytes(6) + reply[12:])
    count = int.from_bytes(reply[6:8], "big")
    found = dns.records(reply, dns.HEADER + len(query.question), count)
    return [reply[record.data : record.end] for record in found if record.type == kind]


def asked(work: Job) -> Job:
    assert kind_of(first(work, PREFIXES, ())) == work.query.type
    return work


def test_5_1_1_an_address_of_its_own_is_the_reply() -> None:
    work = asked(job())
    assert work.stage is Stage.AAAA
    assert addresses(step(work, answer(dns.AAAA, [APP6]), PREFIXES)) == [APP6]


def test_5_1_2_a_name_that_does_not_exist_is_final() -> None:
    reply = step(asked(job()), answer(dns.AAAA, rcode=dns.NXDOMAIN), PREFIXES)
    assert isinstance(reply, bytes) and reply[3] & dns.RCODE == dns.NXDOMAIN


@pytest.mark.parametrize("values", [[], [EXCLUDED], [MADE]])
def test_5_1_4_without_one_that_counts_the_ipv4_one_is_asked_for(values: list[bytes]) -> None:
    work = asked(job())
    assert kind_of(step(work, answer(dns.AAAA, values), PREFIXES)) == dns.A
    assert addresses(step(work, answer(dns.A, [APP4]), PREFIXES)) == [MADE]
    assert work.stage is Stage.MADE


def test_5_1_4_of_some_only_the_excluded_ones_go() -> None:
    reply = step(asked(job()), answer(dns.AAAA, [EXCLUDED, APP6]), PREFIXES)
    assert addresses(reply) == [APP6]


@pytest.mark.parametrize("broken", [None, answer(dns.AAAA, rcode=dns.REFUSED), answer(dns.AAAA, [APP6])[:-3]])
def test_5_1_3_an_error_or_silence_counts_as_nothing(broken: bytes | None) -> None:
    assert kind_of(step(asked(job()), broken, PREFIXES)) == dns.A


def test_5_1_6_without_either_the_first_answer_stands() -> None:
    work = asked(job())
    step(work, answer(dns.AAAA), PREFIXES)
    reply = step(work, answer(dns.A), PREFIXES)
    assert isinstance(reply, bytes) and reply[3] & dns.RCODE == dns.NOERROR
    assert addresses(reply) == []
    assert work.stage is Stage.A


def test_nothing_at_all_has_the_reason_of_the_first() -> None:
    refused = answer(dns.AAAA, rcode=dns.REFUSED)
    work = asked(job())
    step(work, refused, PREFIXES)
    assert step(work, answer(dns.A), PREFIXES) == NoData(refused)
    work = asked(job())
    step(work, None, PREFIXES)
    assert step(work, None, PREFIXES) == NoData(None)


def test_5_5_what_fails_is_asked_for_once_more_without_validation() -> None:
    bogus = answer(dns.AAAA, rcode=dns.SERVFAIL)
    work = asked(job())
    question = step(work, bogus, PREFIXES)
    assert isinstance(question, Question)
    assert (work.stage, question.flags & dns.CD, kind_of(question)) == (Stage.CHECK, dns.CD, dns.AAAA)
    assert step(work, answer(dns.AAAA, [APP6]), PREFIXES) == NoData(bogus), "it is there: it was bogus"
    work = asked(job())
    step(work, bogus, PREFIXES)
    assert kind_of(step(work, answer(dns.AAAA, rcode=dns.SERVFAIL), PREFIXES)) == dns.A


def test_who_sets_cd_has_asked_without_validation_already() -> None:
    work = asked(job(flags=dns.RD | dns.CD))
    assert kind_of(step(work, answer(dns.AAAA, rcode=dns.SERVFAIL), PREFIXES)) == dns.A


@pytest.mark.parametrize("flag", [dns.AD, dns.CD])
def test_what_the_client_asks_for_is_passed_on(flag: int) -> None:
    assert first(job(flags=dns.RD | flag), PREFIXES, ()).flags == dns.RD | flag
    assert first(job(flags=dns.AA), PREFIXES, ()).flags == dns.RD, "recursion always, and nothing else"


@pytest.mark.parametrize(
    "work", [job(dns.A), job(dns.NS), job(excluded=True), job(name=dns.to_wire("dc.home.example"))]
)
def test_nothing_is_made_of_other_questions(work: Job) -> None:
    assert kind_of(first(work, PREFIXES, [dns.to_wire("home.example")])) == work.query.type
    assert work.stage is Stage.PLAIN
    assert step(work, None, PREFIXES) == NoData(None)
    failure = answer(work.query.type, rcode=dns.SERVFAIL, name=work.query.name)
    assert step(work, failure, PREFIXES) == NoData(failure)


def test_5_3_1_a_name_of_an_address_below_a_prefix_is_asked_for_by_ipv4() -> None:
    work = job(dns.PTR, dns.to_wire(IPv6Address(MADE).reverse_pointer))
    question = first(work, PREFIXES, ())
    assert question.question[:-4] == dns.to_wire(IPv4Address(APP4).reverse_pointer)
    assert step(work, answer(dns.PTR, rcode=dns.SERVFAIL), PREFIXES) == NoData(None)
    elsewhere = job(dns.PTR, dns.to_wire(IPv6Address(APP6).reverse_pointer))
    assert first(elsewhere, PREFIXES, ()).question == elsewhere.query.question


def test_a_validating_client_gets_what_others_get() -> None:
    plain = job().query
    assert synthesises(plain)
    assert not synthesises(plain._replace(dnssec=True, flags=dns.CD))
    assert synthesises(plain._replace(dnssec=True)) and synthesises(plain._replace(flags=dns.CD))
    assert not synthesises(plain._replace(klass=3))


@pytest.mark.parametrize("rcode", range(11))
def test_only_data_and_the_word_that_there_is_none_are_no_failure(rcode: int) -> None:
    assert failing(answer(dns.A, rcode=rcode)) is (rcode not in (dns.NOERROR, dns.NXDOMAIN))


def test_an_answer_about_ipv4_that_cannot_be_read_is_told_as_that() -> None:
    work = asked(job())
    step(work, answer(dns.AAAA), PREFIXES)
    with pytest.raises(WireError):
        step(work, answer(dns.A, [APP4])[:-2], PREFIXES)
