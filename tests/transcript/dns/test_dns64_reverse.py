"""The DNS64's answers about names below ip6.arpa (RFC 6147 5.3.1), as a transcript."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network

import dns.flags
import pytest

from tests.tools.machines.dns64 import NAT64, World, config, rcode, signature, values

APP = "app.corp.example"
TARGET = "20.0.0.10.in-addr.arpa"
SOA = "10.in-addr.arpa. 60 SOA ns.corp.example. admin.corp.example. 1 3600 600 86400 30"


def name_of(address: str) -> str:
    return IPv6Address(address).reverse_pointer


NAME = name_of("2001:db8:64::a00:14")
ZONE = f"{NAME.split('.', 8)[8]}."


def test_rfc6147_5_3_1_a_reverse_name_is_an_alias_of_the_ipv4_one() -> None:
    world = World()
    world.ask(NAME.upper(), "PTR")
    assert world.question == (TARGET, "PTR")
    world.answer(f"{TARGET}. 60 PTR app.corp.example.")
    reply = world.reply
    assert [value.lower() for value in values(reply, "CNAME")] == [f"{TARGET}."]
    assert values(reply, "PTR") == [f"{APP}."]


@pytest.mark.parametrize("code", ["NXDOMAIN", "NOERROR"])
def test_rfc6147_5_3_1_no_alias_to_what_does_not_exist(code: str) -> None:
    """RFC 2308 2, 3: the SOA stands above the name that was asked for, or BIND takes the answer for a broken one."""
    world = World()
    world.ask(NAME, "PTR", want_dnssec=True)
    world.answer(
        rcode=code,
        authority=[
            SOA,
            f"10.in-addr.arpa. 60 RRSIG {signature('SOA')}",
            "10.in-addr.arpa. 60 NSEC 11.in-addr.arpa. NS",
        ],
        additional=["ns.corp.example. 60 A 10.0.0.10"],
        flags=dns.flags.AD,
    )
    reply = world.reply
    assert rcode(reply) == code and not reply.answer and not reply.additional
    assert not reply.flags & dns.flags.AD
    assert [rrset.to_text() for rrset in reply.authority] == [
        SOA.replace("10.in-addr.arpa. 60", f"{ZONE} 60 IN")
    ]
    world.pass_time(29)
    world.ask(NAME, "PTR", want_dnssec=True)
    assert rcode(world.reply) == code and not world.asked  # from the cache
    world.pass_time(1)
    world.ask(NAME, "PTR", want_dnssec=True)
    assert world.asked


def test_no_soa_is_made_up_where_there_is_none() -> None:
    world = World()
    world.ask(NAME, "PTR")
    world.answer(rcode="NXDOMAIN")
    assert not world.reply.authority
    world.ask(NAME, "PTR")
    assert world.asked


def test_rfc6147_5_3_1_an_alias_does_not_make_a_chain_longer() -> None:
    world = World()
    world.ask(NAME, "PTR", want_dnssec=True)
    world.answer(
        f"{TARGET}. 7 CNAME 20.x.0.0.10.in-addr.arpa.",
        f"{TARGET}. 60 RRSIG {signature('CNAME')}",
        "20.x.0.0.10.in-addr.arpa. 60 PTR app.corp.example.",
        f"20.x.0.0.10.in-addr.arpa. 60 RRSIG {signature('PTR')}",
        flags=dns.flags.AD,
    )
    reply = world.reply
    assert values(reply, "CNAME") == ["20.x.0.0.10.in-addr.arpa."] and values(reply, "PTR") == [f"{APP}."]
    assert reply.answer[0].ttl == 7  # of the alias that ours stands for
    # RFC 4035 3.2.1: signatures with what they are for; the alias has none, so the whole is not authentic.
    assert len(values(reply, "RRSIG")) == 1 and not reply.flags & dns.flags.AD


@pytest.mark.parametrize(
    ("prefix", "ipv4", "address", "target"),
    [
        ("2001:aaaa::/96", "1.0.0.0/8", "2001:aaaa::a00:1", "1.0.0.10"),
        ("2001:db8:64::/96", "0.0.0.0/0", "64:ff9b::c000:201", "1.2.0.192"),
        ("2001:db8:122:344::/64", "0.0.0.0/0", "2001:db8:122:344:c0:2:2100:0", "33.2.0.192"),
    ],
)
def test_rfc6147_5_3_1_the_prefix_decides(prefix: str, ipv4: str, address: str, target: str) -> None:
    """Whichever IPv4 addresses are mapped into it; the Well-Known Prefix is always one."""
    world = World(config(prefixes=[(IPv6Network(prefix), (IPv4Network(ipv4),))]))
    world.ask(name_of(address), "PTR")
    assert world.question == (f"{target}.in-addr.arpa", "PTR")
    world.answer(f"{target}.in-addr.arpa. 60 PTR app.corp.example.")
    reply = world.reply
    assert values(reply, "CNAME") == [f"{target}.in-addr.arpa."] and values(reply, "PTR") == [f"{APP}."]


def test_the_longest_of_nested_prefixes_decides() -> None:
    anything = (IPv4Network("0.0.0.0/0"),)
    nested = [(IPv6Network("2001:db8::/32"), anything), (NAT64, anything)]
    world = World(config(prefixes=nested))
    world.ask(NAME, "PTR")
    assert world.question == (TARGET, "PTR")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("1" + ".0" * 23 + ".8.b.d.0.1.0.0.2.ip6.arpa", "PTR"),
        (NAME, "TXT"),
        (NAME.removeprefix("4."), "PTR"),
        ("x." + NAME, "PTR"),
        (name_of("::ffff:10.0.0.20"), "PTR"),
        (TARGET, "PTR"),
    ],
)
def test_rfc6147_5_3_1_other_reverse_names_are_asked_as_they_are(name: str, kind: str) -> None:
    world = World()
    world.ask(name, kind)
    assert world.question == (name, kind)


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED", "silence"])
def test_a_reverse_question_that_fails_is_a_failure(code: str) -> None:
    world = World()
    world.ask(NAME, "PTR")
    while world.asked:
        world.silence() if code == "silence" else world.answer(rcode=code)
    assert rcode(world.reply) == "SERVFAIL"


def test_rfc6147_5_5_with_cd_and_do_no_alias_is_made() -> None:
    world = World()
    world.ask(NAME, "PTR", want_dnssec=True, flags=int(dns.flags.RD | dns.flags.CD))
    assert world.question == (NAME, "PTR")
