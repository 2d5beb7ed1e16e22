"""Which names are the site's."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from manageout.errors import BadArgument
from manageout.protocol.host.name_policy import Rules, domain, reverse_zone

RULES = Rules(
    ("corp.example", "lab.www.corp.example"),
    ("www.corp.example", "gateway.corp.example", "nls.other.example"),
)


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("corp.example", True),
        ("app.corp.example", True),
        ("a.b.c.corp.example", True),
        ("www.corp.example", False),
        ("a.www.corp.example", False),
        ("lab.www.corp.example", True),  # the most specific rule wins, either way
        ("x.lab.www.corp.example", True),
        ("gateway.corp.example", False),
        ("mycorp.example", False),
        ("example", False),
        ("corp", False),
        ("", False),
        ("corp.example.org", False),
        ("ipv4only.arpa", False),
    ],
)
def test_the_most_specific_rule_wins(name: str, inside: bool) -> None:
    assert RULES.covers(name) is inside


def test_without_rules_everything_is_local() -> None:
    assert not Rules().covers("corp.example")


def test_a_name_in_both_lists_is_exempt() -> None:
    assert not Rules(("corp.example",), ("corp.example",)).covers("corp.example")


def test_exemptions_that_matter() -> None:
    assert RULES.exempt_within() == ("www.corp.example", "gateway.corp.example")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("corp.example", "corp.example"),
        ("Corp.Example.", "corp.example"),
        (".corp.example", "corp.example"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("_msdcs.corp.example", "_msdcs.corp.example"),
        ("local", "local"),
    ],
)
def test_domains(text: str, name: str) -> None:
    assert domain(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a..b",
        "*.corp.example",
        "a b",
        "-a.b",
        "a-.b",
        "x" * 64,
        "a." * 127 + "abc",
        "a/b",
        "ü" * 70,
    ],
)
def test_what_is_no_domain(text: str) -> None:
    with pytest.raises(BadArgument, match="is no domain name") as caught:
        domain(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("prefix", "length", "zone"),
    [
        ("fd12:3456:789a::", 48, "a.9.8.7.6.5.4.3.2.1.d.f.ip6.arpa"),
        ("fd12:3456:789a:7777::", 96, "0.0.0.0.0.0.0.0.7.7.7.7.a.9.8.7.6.5.4.3.2.1.d.f.ip6.arpa"),
        ("2000::", 4, "2.ip6.arpa"),
        ("fd12::", 50, None),  # ends within a digit
        ("::", 0, None),
    ],
)
def test_reverse_zones(prefix: str, length: int, zone: str | None) -> None:
    assert reverse_zone((IPv6Address(prefix).packed, length)) == zone
