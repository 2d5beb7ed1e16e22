"""nslookup in several languages and manners, dnscmd, the cache."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manageout.doctor.console.names import displaydns, dnscmd, nslookup
from manageout.doctor.facts import Facts
from manageout.doctor.pasted.segments import Part

TWO = """Server:  dc.corp.example
Address:  10.0.0.10

Name:    laptop.corp.example
Addresses:  fd12:3456:789a:1000::77
          10.0.5.77
"""
FAILED = """Server:  UnKnown
Address:  10.0.0.10

*** UnKnown can't find isatap.corp.example: Non-existent domain
"""


def asked(text: str, command: str = "") -> list[tuple[str, str, list[str]]]:
    facts = Facts("x")
    nslookup(facts, Part(command, text.split("\n"), kind="nslookup"))
    return [(one.name, one.server, list(map(str, one.addresses))) for one in facts.lookups]


@pytest.mark.parametrize("command", ["nslookup laptop.corp.example", "nslookup laptop", ""])
def test_several_addresses(command: str) -> None:
    found = [("laptop.corp.example", "10.0.0.10", ["fd12:3456:789a:1000::77", "10.0.5.77"])]
    assert asked(TWO, command) == found
    assert asked(TWO.replace("          10", "10"), command) == found


@pytest.mark.parametrize(
    "text",
    [
        "Server:  router.home\nAddress:  192.168.1.1\n\nNon-authoritative answer:\nName:    g.example\n"
        "Address:  203.0.113.1",
        "Server:  router.home\nAddress:  192.168.1.1\n\nNicht autorisierende Antwort:\nName:    g.example\n"
        "Address:  203.0.113.1",
        "Serveur :   router.home\nAddress:  192.168.1.1\n\nRéponse ne faisant pas autorité :\nNom :    g.example\n"
        "Address:  203.0.113.1",
        "Servidor:  router.home\nAddress:  192.168.1.1\n\nRespuesta no autoritativa:\nNombre:  g.example\n"
        "Address:  203.0.113.1",
        "服务器:  router.home\nAddress:  192.168.1.1\n\n非权威应答:\n名称:    g.example\nAddress:  203.0.113.1",
        "サーバー:  router.home\nAddress:  192.168.1.1\n\n権限のない回答:\n名前:    g.example\nAddress:  203.0.113.1",
        "Server:\t\t192.168.1.1\nAddress:\t192.168.1.1#53\n\nNon-authoritative answer:\nName:\tg.example\n"
        "Address: 203.0.113.1",
    ],
)  # fmt: skip
def test_languages(text: str) -> None:
    assert asked(text, "nslookup g.example") == [("g.example", "192.168.1.1", ["203.0.113.1"])]
    assert asked(text) == [("g.example", "192.168.1.1", ["203.0.113.1"])]


@pytest.mark.parametrize("command", ["nslookup isatap.corp.example", ""])
def test_a_name_that_is_not_there(command: str) -> None:
    facts = Facts("x")
    assert nslookup(facts, Part(command, FAILED.split("\n")))
    (lookup,) = facts.lookups
    assert (lookup.name, lookup.server, lookup.addresses) == ("isatap.corp.example", "10.0.0.10", ())
    assert lookup.quote == lookup.error == "*** UnKnown can't find isatap.corp.example: Non-existent domain"


def test_a_server_that_is_silent() -> None:
    text = "DNS request timed out.\n    timeout was 2 seconds.\nServer:  UnKnown\nAddress:  fd12::1\n\n"
    text += "*** Request to UnKnown timed-out"
    assert asked(text, "nslookup x.corp.example") == [("x.corp.example", "fd12::1", [])]


def test_a_session() -> None:
    text = (
        "Default Server:  dc.corp.example\nAddress:  10.0.0.10\n\n> set type=aaaa\n> laptop.corp.example\n"
        "Server:  dc.corp.example\nAddress:  10.0.0.10\n\nlaptop.corp.example     AAAA IPv6 address = fd12::77\n"
        "> set type=a\n> isatap.corp.example\nServer:  dc.corp.example\nAddress:  10.0.0.10\n\n"
        "*** dc.corp.example can't find isatap.corp.example: Non-existent domain\n> exit"
    )
    assert asked(text, "nslookup") == [
        ("laptop.corp.example", "10.0.0.10", ["fd12::77"]),
        ("isatap.corp.example", "10.0.0.10", []),
    ]


def test_two_questions_without_prompts() -> None:
    assert [name for name, *_ in asked(TWO + TWO.replace("laptop", "pc9") + FAILED)] == [
        "laptop.corp.example",
        "pc9.corp.example",
        "isatap.corp.example",
    ]


def test_no_record_of_one_type_says_nothing_of_the_other() -> None:
    text = "Server:  dc\nAddress:  10.0.0.10\n\nName:    isatap-mgmt.corp.example\n"
    assert asked(text, "nslookup -type=AAAA isatap-mgmt.corp.example") == []
    assert asked(TWO, "nslookup 10.0.5.77") == []


def told(command: str, text: str, facts: Facts) -> bool:
    return dnscmd(facts, Part(command, text.split("\n")))


def listed(facts: Facts) -> tuple[str, ...] | None:
    return facts.block_list.value if facts.block_list else None


def test_the_block_list() -> None:
    facts = Facts("x")
    names = "Query result:\nString:  wpad\nString:  isatap\n"
    switch = "Query result:\nDword:  {0} (0000000{0})\n"
    assert told("dnscmd /info /globalqueryblocklist", names, facts) and listed(facts) == ("wpad", "isatap")
    assert told("dnscmd dc /info /enableglobalqueryblocklist", switch.format(1), facts)
    assert listed(facts) == ("wpad", "isatap")
    assert (
        told("dnscmd dc /info /enableglobalqueryblocklist", switch.format(0), facts) and listed(facts) == ()
    )
    told("dnscmd /info /globalqueryblocklist", names, facts)
    assert listed(facts) == ()


def test_records_of_a_zone() -> None:
    facts = Facts("x")
    text = (
        "Returned records:\nlaptop [Aging:3636936] 1200 A\t10.0.5.77\n\t\t 1200 AAAA\tfd12::5efe:10.0.1.30\n"
        "isatap 3600 A 10.0.0.1\nCommand completed successfully."
    )
    assert told("dnscmd dc1 /enumrecords corp.example @", text, facts)
    assert [(one.name, one.address, one.zone) for one in facts.records] == [
        ("laptop", ip_address("10.0.5.77"), "corp.example"),
        ("laptop", ip_address("fd12::5efe:10.0.1.30"), "corp.example"),
        ("isatap", ip_address("10.0.0.1"), "corp.example"),
    ]


def test_the_cache() -> None:
    facts = Facts("x")
    text = """    laptop.corp.example
    ----------------------------------------
    Record Name . . . . . : laptop.corp.example
    Record Type . . . . . : 28
    Time To Live  . . . . : 1199
    AAAA Record . . . . . : fd12::5efe:10.0.1.30
"""
    assert displaydns(facts, Part("", text.split("\n")))
    (lookup,) = facts.lookups
    assert (lookup.name, str(lookup.addresses[0])) == ("laptop.corp.example", "fd12::5efe:a00:11e")


@given(st.text(alphabet="Server: *>\n10.a=#", max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    asked(text)
    told("", text, Facts("x"))
    displaydns(Facts("x"), Part("", text.split("\n")))
