"""The DNS64 with real servers: BIND and Unbound behind it, and DNS servers that are down, slow or lie."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from manageout.lab.process import wait_until
from manageout.linux.host import netns
from tests.tools.places.dns64 import (
    ADDRESS,
    CLIENT,
    NAME,
    OTHER_CLIENT,
    SIGNED,
    UPSTREAMS,
    Dns64,
    Place,
    values,
)
from tests.tools.programs import dns_liar
from tests.tools.programs.dns_liar import liar

APP = "app.corp.example"
MADE = "AAAA fd12:3456:789a:7777::a00:14"
BIND, SECOND, THIRD = UPSTREAMS


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """BIND at the first address; the others are free."""
    made = Place(tmp_path_factory.mktemp("dns64"))
    try:
        made.bind(BIND, signed=True)
        yield made
    finally:
        made.close()


@pytest.fixture
def role(place: Place) -> Iterator[Dns64]:
    """The role with BIND behind it."""
    with running(place) as made:
        yield made


@contextmanager
def running(place: Place, *arguments: Any, **options: Any) -> Iterator[Dns64]:
    """The role for a while; it has nothing to complain of and ends when told."""
    made = place.dns64(*arguments, **options)
    try:
        yield made
    finally:
        made.stop()
    assert made.process.returncode == 0 and not made.log.read_text(), made.log.read_text()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("app", [MADE]),
        ("dual", ["AAAA fd12:3456:789a:5::22"]),
        ("six", ["AAAA fd12:3456:789a:5::23"]),
        ("mapped", ["AAAA fd12:3456:789a:7777::a00:18"]),
        ("nearly", ["AAAA fd12:3456:789a:5::25"]),
        ("far", ["CNAME www.corp.example.", f"CNAME {APP}.", MADE]),
        ("x.other", ["DNAME sub.corp.example.", "CNAME x.sub.corp.example.", MADE[:-2] + "1a"]),
        ("text", []),
        ("nowhere", ["CNAME missing.corp.example."]),
        ("missing", []),
    ],
)
def test_addresses_of_a_real_zone(place: Place, role: Dns64, name: str, expected: list[str]) -> None:
    assert place.answers(f"{name}.corp.example") == expected
    assert place.answers(f"{name}.corp.example") == expected  # from the cache
    assert place.answers(f"{name}.corp.example", tcp=True) == expected


def test_other_types_pass_unchanged(place: Place, role: Dns64) -> None:
    assert place.answers(APP, "A") == ["A 10.0.0.20"]
    assert place.answers("text.corp.example", "TXT") == ['TXT "nothing to translate"']
    mail = place.ask("mail.corp.example", "MX")
    assert values(mail) == ["MX 10 app.corp.example."]
    assert mail.flags & dns.flags.RA and not mail.flags & dns.flags.AA


def test_lifetimes_are_the_least_of_both_answers(place: Place, role: Dns64) -> None:
    assert place.ask(APP).answer[0].ttl == 60  # of the SOA; the A record says 300
    assert place.ask("short.corp.example").answer[0].ttl == 7


def test_absence_is_passed_on_with_its_soa(place: Place, role: Dns64) -> None:
    gone = place.ask("missing.corp.example")
    assert gone.rcode() == dns.rcode.NXDOMAIN
    assert [rrset.rdtype for rrset in gone.authority] == [dns.rdatatype.SOA]
    assert [rrset.rdtype for rrset in place.ask("text.corp.example").authority] == [dns.rdatatype.SOA]


def test_names_of_synthesised_addresses(place: Place, role: Dns64) -> None:
    tail = "7.7.7.7.a.9.8.7.6.5.4.3.2.1.d.f.ip6.arpa"
    found = place.answers("4.1.0.0.0.0.a.0.0.0.0.0.0.0.0.0." + tail, "PTR")
    assert found == ["CNAME 20.0.0.10.in-addr.arpa.", "PTR app.corp.example."]
    found = place.answers("5.1.0.0.0.0.a.0.0.0.0.0.0.0.0.0." + tail, "PTR")
    assert found == ["CNAME 21.class.0.0.10.in-addr.arpa.", "PTR short.corp.example."]
    assert place.ask("f.f.0.0.0.0.a.0.0.0.0.0.0.0.0.0." + tail, "PTR").rcode() == dns.rcode.NXDOMAIN


def test_the_well_known_name_needs_no_server(place: Place) -> None:
    with running(place, ["10.0.0.99"]):
        assert place.answers("ipv4only.arpa") == [
            "AAAA fd12:3456:789a:7777::c000:aa",
            "AAAA fd12:3456:789a:7777::c000:ab",
        ]
        assert place.answers("ipv4only.arpa", "A") == ["A 192.0.0.170", "A 192.0.0.171"]
        assert place.ask("x.ipv4only.arpa").rcode() == dns.rcode.NXDOMAIN


def test_long_answers_come_over_tcp(place: Place, role: Dns64) -> None:
    short = place.ask("many.corp.example", edns=False)
    assert short.flags & dns.flags.TC and not short.answer
    assert len(place.answers("many.corp.example", tcp=True)) == 90
    assert not place.ask("many.corp.example", size=4096).flags & dns.flags.TC


@pytest.mark.parametrize("program", ["unbound", "bind"])
def test_a_validating_server_is_believed(place: Place, program: str) -> None:
    anchors = [place.directory / f"bind-{BIND}" / f"{zone}.anchor" for zone in SIGNED]
    if program == "unbound":
        lines = "".join(f'  trust-anchor-file: "{anchor}"\n' for anchor in anchors)
        address, server = SECOND, place.unbound(SECOND, modules="validator iterator", anchors=lines)
    else:
        address, server = THIRD, place.bind_resolver(THIRD, BIND, anchors)
    with running(place, [address]):
        signed = place.ask("app.signed.example", dnssec=True)
        assert values(signed) == [MADE] and signed.flags & dns.flags.AD
        assert not place.ask("app.signed.example").flags & dns.flags.AD
        assert place.ask("app.signed.example", "A", flags=dns.flags.AD).flags & dns.flags.AD
        for name in ("app.bogus.example", "app.denial.example"):
            for dnssec in (True, False):
                assert place.ask(name, dnssec=dnssec).rcode() == dns.rcode.SERVFAIL, name
            unchecked = place.ask(name, flags=dns.flags.CD)
            assert unchecked.rcode() == dns.rcode.NOERROR and not unchecked.flags & dns.flags.AD
        assert place.ask("app.denial.example", "A", dnssec=True).flags & dns.flags.AD
        own = place.ask("app.signed.example", dnssec=True, flags=dns.flags.CD)
        assert not own.answer and own.authority
        assert place.answers(APP) == [MADE]
    server.stop()


def test_bind_before_us_takes_our_answers(place: Place, role: Dns64) -> None:
    """RFC 2308 2, 3: an SOA that does not stand above the name makes it call the answer broken (SERVFAIL).

    With EDNS it would set CD and DO in all that it forwards, and so want nothing that is made (RFC 6147 5.5 (3)).
    """
    server = place.bind_resolver(THIRD, ADDRESS, extra=f"server {ADDRESS} {{ edns no; }};")

    def ask(name: str, kind: str = "PTR") -> dns.message.Message:
        with netns.inside(NAME):
            return dns.query.udp(dns.message.make_query(name, kind), THIRD, 10)

    def reverse(last: int) -> str:
        return IPv6Address(f"fd12:3456:789a:7777::a00:{last:x}").reverse_pointer

    assert values(ask(reverse(20))) == ["CNAME 20.0.0.10.in-addr.arpa.", "PTR app.corp.example."]
    for last, code in ((22, dns.rcode.NOERROR), (99, dns.rcode.NXDOMAIN)):
        for _ in range(2):
            found = ask(reverse(last))
            assert found.rcode() == code and not found.answer
        assert found.authority  # so it keeps the answer
    assert "FORMERR" not in server.log.read_text()
    assert values(ask(APP, "AAAA")) == [MADE]
    server.stop()


def test_a_server_that_only_refers_to_others_is_none(place: Place) -> None:
    """The first does not recurse, and the name is another server's."""
    with liar(SECOND, dns_liar.honest), running(place, [BIND, SECOND]):
        assert place.answers("host.branch.corp.example") == [MADE]


def test_blocked_names_do_not_exist_and_are_reported(place: Place) -> None:
    with running(place, clients=[f"{CLIENT}=laptop.corp.example"]) as role:
        for name in ("isatap", "wpad", "isatap.corp.example", "WPAD.Corp.Example"):
            assert place.ask(name, "A").rcode() == dns.rcode.NXDOMAIN, name
        report = role.report()
        assert "laptop.corp.example asked for isatap: 1" in report["status"]["blocked"]
        assert report["metrics"]["dns64_blocked wpad.corp.example"] == 1


def test_excluded_clients_and_domains_get_the_truth(place: Place) -> None:
    extra = 'exclude_clients = ["tablet*"]\nexclude_domains = ["short.corp.example"]'
    clients = [f"{CLIENT}=laptop.corp.example", f"{OTHER_CLIENT}=tablet.corp.example"]
    with running(place, extra=extra, clients=clients):
        for _ in range(2):  # the second time from the cache
            assert place.answers(APP) == [MADE]
            assert place.answers(APP, source=OTHER_CLIENT) == []
        assert place.answers("short.corp.example") == []
        assert place.answers("dual.corp.example", source=OTHER_CLIENT) == ["AAAA fd12:3456:789a:5::22"]


def test_several_prefixes_by_address(place: Place) -> None:
    tables = """
[[dns64.prefixes]]
prefix = "fd12:3456:789a:7777::/96"
ipv4 = ["10.0.0.0/24"]
[[dns64.prefixes]]
prefix = "2001:db8:122:344::/64"
ipv4 = ["10.0.0.20/32", "10.7.0.0/16"]
"""
    with running(place, tables=tables):
        assert place.answers(APP) == [MADE, "AAAA 2001:db8:122:344:a:0:1400:0"]
        assert place.answers("short.corp.example") == ["AAAA fd12:3456:789a:7777::a00:15"]
        assert place.answers("many.corp.example", tcp=True)[0].startswith("AAAA 2001:db8:122:344:a:7")


# --- Servers that are down, slow, or lie -----------------------------------------------------------------

BROKEN = {
    "silent": dns_liar.silent,
    "servfail": dns_liar.says("SERVFAIL"),
    "refused": dns_liar.says("REFUSED"),
    "notimp": dns_liar.says("NOTIMP"),
    "formerr": dns_liar.says("FORMERR"),
    "wrong id": dns_liar.wrong_id,
    "wrong question": dns_liar.wrong_question,
    "a query": dns_liar.query_again,
    "garbage": dns_liar.garbage,
    "cut short": dns_liar.cut_short,
    "compression loop": dns_liar.loop,
    "truncated without TCP": dns_liar.truncated,
}


@pytest.mark.parametrize("fault", BROKEN)
def test_the_next_server_is_asked_when_the_first_is(place: Place, fault: str) -> None:
    with liar(SECOND, BROKEN[fault]) as first:
        with running(place, [SECOND, BIND]):
            assert place.answers(APP) == [MADE]
        assert first.asked[0] == f"{APP} AAAA"


def test_the_next_server_is_asked_when_the_first_is_not_there(place: Place) -> None:
    with running(place, ["10.0.0.99", BIND]) as role:
        assert place.answers(APP) == [MADE]
        assert place.answers("short.corp.example") != []
        assert "10.0.0.99 (silent)" in role.report()["status"]["servers"]


def test_a_silent_server_is_asked_last(place: Place) -> None:
    with liar(SECOND, dns_liar.silent) as first:
        with running(place, [SECOND, BIND]):
            for number in range(20):
                assert place.answers(f"{number}.any.corp.example") != []
        assert len(first.asked) <= 2


def test_an_answer_before_the_true_one_is_not_believed(place: Place) -> None:
    """A forger who does not see the question has to guess number and port."""

    def forged(query: dns.message.Message) -> list[bytes]:
        for port in (made.place[1], made.place[1] ^ 1):
            made.from_elsewhere(dns_liar.lie(query).to_wire(), (made.place[0], port))
        return [*dns_liar.wrong_id(query), *dns_liar.wrong_question(query), *dns_liar.honest(query)]

    with liar(SECOND, forged) as made:
        with running(place, [SECOND]) as role:
            assert place.answers(APP) == [MADE]
            assert role.count("dns64_events spoofed") == 4
            for number in range(20):
                place.answers(f"{number}.any.corp.example")
        assert len(made.ports) > 30 and len(set(made.ids)) > 30


def test_truncated_answers_are_asked_for_again_over_tcp(place: Place) -> None:
    with liar(SECOND, dns_liar.truncated, dns_liar.honest) as first:
        with running(place, [SECOND]):
            assert place.answers(APP) == [MADE]
        assert first.asked == [f"{APP} AAAA"] * 2 + [f"{APP} A"] * 2


def test_names_whose_aaaa_query_fails_have_addresses_all_the_same(place: Place) -> None:
    """RFC 6147 5.1.2: any error but NXDOMAIN counts as an empty answer."""

    def broken(query: dns.message.Message) -> list[bytes]:
        is_a = query.question[0].rdtype == dns.rdatatype.A
        return dns_liar.honest(query) if is_a else list(dns_liar.says("SERVFAIL")(query))

    with liar(SECOND, broken), running(place, [SECOND]):
        assert place.answers(APP) == [MADE]


def test_all_servers_down_is_a_finding_until_one_is_back(place: Place) -> None:
    with running(place, [SECOND, THIRD]) as role:
        assert place.ask(APP).rcode() == dns.rcode.SERVFAIL
        (finding,) = role.report()["findings"]
        assert finding["code"] == "DNS-SERVERS-SILENT" and SECOND in finding["what"]
        with liar(THIRD, dns_liar.honest):
            assert place.answers("other.corp.example") == [MADE]
            assert role.report()["findings"] == []


def test_old_answers_serve_while_no_server_does(place: Place) -> None:
    def brief(query: dns.message.Message) -> list[bytes]:
        answer = dns_liar.truth(query)
        for rrset in (*answer.answer, *answer.authority):
            rrset.ttl = 1
        return [answer.to_wire()]

    with running(place, [SECOND], extra="serve_stale = 60") as role:
        with liar(SECOND, brief) as made:
            assert place.answers(APP) == [MADE]
            made.behaviour = dns_liar.says("SERVFAIL")
            wait_until("it is out of date", lambda: place.ask(APP) and role.count("dns64_events stale"), 5)
            asked = len(made.asked)
            assert place.answers(APP) == [MADE] and len(made.asked) == asked
        assert place.answers(APP) == [MADE]


# --- Clients that do wrong ------------------------------------------------------------------------------


def connect(source: str = CLIENT) -> socket.socket:
    with netns.inside(NAME):
        return socket.create_connection((ADDRESS, 53), 5, (source, 0))


def test_several_questions_on_one_connection(place: Place, role: Dns64) -> None:
    queries = [
        dns.message.make_query(name, "AAAA")
        for name in ("far.corp.example", "ipv4only.arpa", "dual.corp.example")
    ]
    with connect() as sock:
        for query in queries:
            wire = query.to_wire()
            sock.sendall(len(wire).to_bytes(2, "big") + wire)
        got = set()
        for _ in queries:
            size = int.from_bytes(sock.recv(2, socket.MSG_WAITALL), "big")
            got.add(dns.message.from_wire(sock.recv(size, socket.MSG_WAITALL)).id)
    assert got == {query.id for query in queries}


def test_one_client_cannot_take_all_connections(place: Place, role: Dns64) -> None:
    held = [connect() for _ in range(40)]
    try:
        wait_until("some are refused", lambda: role.count("dns64_events busy") >= 24, 5)
        assert place.answers(APP, source=OTHER_CLIENT, tcp=True) == [MADE]
    finally:
        for sock in held:
            sock.close()
    wait_until("there is room again", lambda: place.answers(APP, tcp=True) == [MADE], 5)


def test_all_addresses_of_one_client_count_together(place: Place) -> None:
    with running(place, clients=[f"{CLIENT},{OTHER_CLIENT}=laptop.corp.example"]) as role:
        held = [connect(source) for source in (CLIENT, OTHER_CLIENT) * 16]
        wait_until("some are refused", lambda: role.count("dns64_events busy") == 16, 5)
        for sock in held:
            sock.close()


def test_silence_is_told_before_clients_lose_patience(place: Place) -> None:
    """glibc waits for 5 seconds."""
    with liar(SECOND, dns_liar.silent), running(place, [SECOND]):
        assert place.ask(APP, timeout=5).rcode() == dns.rcode.SERVFAIL
        assert place.ask(APP, timeout=5, tcp=True).rcode() == dns.rcode.SERVFAIL


def test_malformed_queries_do_no_harm(place: Place, role: Dns64) -> None:
    good = dns.message.make_query(APP, "AAAA").to_wire()
    bad = [
        b"",
        good[:11],
        good[:20],
        good[:12] + b"\xc0\x0c" + good[-4:],  # the question points at itself
        good[:12] + b"\x3fa" * 30,
        good[:2] + b"\x81\x80" + good[4:],  # an answer
        good[:4] + b"\0\2" + good[6:],  # two questions
        good[:4] + b"\xff" * 8 + good[12:],
        good + b"\xff" * 5000,
    ]
    with netns.inside(NAME):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with sock:
        sock.bind((CLIENT, 0))
        for message in bad * 20:
            sock.sendto(message, (ADDRESS, 53))
    assert place.answers(APP) == [MADE]
    assert role.count("dns64_events malformed") >= 100


def test_transfers_and_updates_are_refused(place: Place, role: Dns64) -> None:
    assert place.ask("corp.example", "AXFR", tcp=False).rcode() == dns.rcode.REFUSED
    query = dns.message.make_query("corp.example", "SOA")
    query.set_opcode(dns.opcode.NOTIFY)
    assert place.exchange(query).rcode() == dns.rcode.NOTIMP
