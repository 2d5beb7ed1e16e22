"""Values of the site file that have checks of their own."""

from __future__ import annotations

from ipaddress import IPv6Network

import pytest
from pydantic import TypeAdapter, ValidationError

from manageout.errors import ConfigError
from manageout.site.tables.complaints import Unfit
from manageout.site.tables.site import parse
from manageout.site.tables.types import SitePrefix, TomlTable, metrics_place, router_name, service


class Example(TomlTable):
    value: int = 1


def test_a_table_knows_its_options_and_never_changes() -> None:
    with pytest.raises(ValidationError):
        Example.model_validate({"other": 1})
    with pytest.raises(ValidationError):
        Example().value = 2


@pytest.mark.parametrize("name", ["isatap", "ISATAP", "isatap.corp.example"])
def test_the_bare_name_is_refused_with_a_better_one(name: str) -> None:
    with pytest.raises(Unfit) as caught:
        router_name(name)
    assert "manageout-isatap" in caught.value.hint


@pytest.mark.parametrize(
    "name", ["a b", "x'; rm", "a..b", "-a.corp.example", "möchte.corp.example", "10.0.0.1"]
)
def test_a_routers_name_is_a_dns_name(name: str) -> None:
    """It is printed into commands, scripts and policies."""
    with pytest.raises(Unfit, match="is no DNS name"):
        router_name(name)
    assert router_name("") == ""


def test_values_come_back_as_they_were() -> None:
    assert router_name("manageout-isatap.corp.example") == "manageout-isatap.corp.example"
    assert metrics_place("[::1]:9464") == "[::1]:9464"
    assert service("tcp/3389") == "tcp/3389"


def test_a_site_prefix_is_a_48_that_may_be_used() -> None:
    prefix: TypeAdapter[IPv6Network] = TypeAdapter(SitePrefix)
    assert prefix.validate_python("2002:c633:640a::/48") == IPv6Network("2002:c633:640a::/48")
    for unfit in ("fd12:3456:789a::/64", "fe80::/48"):
        with pytest.raises(ValidationError, match=r"this is a /64|neither global"):
            prefix.validate_python(unfit)


SITE = """
[site]
prefix = "fd12:3456:789a::/48"
[gateway]
certificate = "c"
key = "k"
client_ca = "ca"
{gateway}
[gateway.iphttps]
{iphttps}
[translation]
pool = "10.0.8.0/22"
{translation}
"""


@pytest.mark.parametrize(
    ("table", "line", "words"),
    [
        ("gateway", 'common_name = "yes"', "'yes' is neither true nor false"),
        ("gateway", 'common_name = "true"', "'true' is neither true nor false"),
        ("gateway", "common_name = 1", "1 is neither true nor false"),
        ("gateway", "common_name = 0", "0 is neither true nor false"),
        ("gateway", "node = true", "True is not a whole number"),
        ("gateway", 'node = "1"', "'1' is not a whole number"),
        ("translation", 'block = "24"', "'24' is not a whole number"),
        ("iphttps", 'dead_after = "60"', "'60' is not a number"),
        ("iphttps", "dead_after = true", "True is not a number"),
    ],
)
def test_what_is_only_like_a_number_or_a_boolean(table: str, line: str, words: str) -> None:
    tables = {"gateway": "", "translation": "", "iphttps": ""} | {table: line}
    with pytest.raises(ConfigError) as caught:
        parse(SITE.format(**tables))
    (fault,) = caught.value.faults
    assert fault.message == words and "without quotes" in fault.hint


@pytest.mark.parametrize(
    ("table", "line"),
    [("gateway", "common_name = true"), ("translation", "block = 24"), ("iphttps", "dead_after = 60")],
)
def test_what_is_of_its_kind(table: str, line: str) -> None:
    parse(SITE.format(**({"gateway": "", "translation": "", "iphttps": ""} | {table: line})))
