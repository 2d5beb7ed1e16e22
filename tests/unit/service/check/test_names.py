"""Names that nobody can match, names that mean nothing, and those that are well."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manageout.service.check.names import names, overlap
from manageout.site.tables.site import parse
from tests.tools import site_file

SITE = site_file.SITE + site_file.DOMAIN + site_file.GATEWAY


def found(more: str = "", allow: str = '["*.corp.example", "kiosk"]') -> list[str]:
    return [f"{message} -> {remedy}" for _, message, remedy in names(parse(f"{SITE}allow = {allow}\n{more}"))]


def rule(*to: str) -> str:
    listed = ", ".join(f'"{each}"' for each in to)
    return f'[[policy.managers]]\nfrom = ["10.0.1.0/24"]\nservices = ["any"]\nto = [{listed}]\n'


@pytest.mark.parametrize(
    "to", ["*", "lap1.corp.example", "LAP?.CORP.EXAMPLE", "*", "lap*", "kiosk", "[kl]iosk"]
)
def test_what_an_allowed_name_can_match_is_well(to: str) -> None:
    assert found(rule(to)) == []


@pytest.mark.parametrize(
    "to", ["lap1.other.example", "*.corp.exampl", "lap1", "[ab]iosk", "kiosk?", "corp.example"]
)
def test_what_no_allowed_name_can_match(to: str) -> None:
    (line,) = found(rule("*.corp.example", to))
    assert line.startswith("policy.managers.0.to: ") and repr(to) in line and line.endswith("the other")


@pytest.mark.parametrize("text", ["CN=lap1.corp.example", "cn = lap1.corp.example"])
def test_a_subject_is_no_name(text: str) -> None:
    (line,) = found(rule(text))
    assert line.startswith("policy.managers.0.to: ") and line.endswith('-> write "lap1.corp.example"')
    (line,) = found(allow=f'["*.corp.example", "{text}"]')
    assert line.startswith("gateway.allow: ") and line.endswith('-> write "lap1.corp.example"')


def test_an_address_that_is_promised_to_nobody() -> None:
    (line,) = found('[gateway.fixed]\n"lap1.other.example" = "fd12:3456:789a:1000::10"\n')
    assert line.startswith("gateway.fixed.lap1.other.example: ")
    assert found('[gateway.fixed]\n"lap1.corp.example" = "fd12:3456:789a:1000::10"\n') == []


def test_where_clients_have_no_names_nothing_is_said_of_them() -> None:
    text = SITE.replace('client_ca = "ca"', 'authentication = "none"')
    assert list(names(parse(text + rule("CN=a")))) == []
    router = '[site]\nprefix = "fd12:3456:789a::/48"\n[isatap]\nlocators = ["10.0.0.1"]\n'
    assert list(names(parse(router))) == []


def test_a_reserved_name_of_another_zone_reserves_nothing() -> None:
    zone = '[names]\nservers = ["10.0.0.10"]\nreserved = [{}]\n'
    (line,) = found(zone.format('"app.other.example"'))
    assert line.startswith("names.reserved: app.other.example is not in the zone corp.example")
    assert found(zone.format('"app", "app.corp.example", "a.b.corp.example"')) == []
    (line,) = found(zone.format('"notcorp.example"') + 'zone = "corp.example"\n')
    assert "notcorp.example" in line


PIECES = st.lists(st.sampled_from(["*", "?", "a", "b", ".", "[ab]", "[!a]"]), max_size=6).map("".join)


@given(PIECES, PIECES, st.text("ab.c", max_size=6))
def test_a_common_name_is_never_denied(one: str, other: str, name: str) -> None:
    """Against fnmatch: whoever both let in shows that they overlap."""
    if fnmatchcase(name, one) and fnmatchcase(name, other):
        assert overlap(one, other)


@given(st.text("ab.c", max_size=8), PIECES)
def test_a_plain_name_overlaps_as_it_matches(name: str, pattern: str) -> None:
    assert overlap(name, pattern) == fnmatchcase(name, pattern) == overlap(pattern, name)


def test_long_patterns_are_believed() -> None:
    assert overlap("a" * 5000, "b" * 5000)
    assert not overlap("*a" * 100, "*b" * 100)
