"""The table for Windows machines."""

from __future__ import annotations

import pytest

from manageout.errors import ConfigError
from manageout.site.tables.site import parse
from tests.tools import site_file

HEAD = site_file.SITE + site_file.ROUTER + "[rollout]\n"


def faults(text: str) -> list[str]:
    try:
        parse(HEAD + text)
    except ConfigError as error:
        return [fault.path for fault in error.faults]
    return []


def test_everything_has_a_default() -> None:
    table = parse(HEAD).rollout
    assert table is not None
    assert table.prefix == "Manageout"
    assert table.managers_group == table.managers_unit == ""


@pytest.mark.parametrize(
    "unit",
    ["OU=Laptops,DC=corp,DC=example", "ou=a\\,b, OU=c,dc=d", "DC=corp,DC=example", "CN=Computers,DC=x"],
)
def test_units(unit: str) -> None:
    assert faults(f"managers_unit = '{unit}'") == []


@pytest.mark.parametrize("unit", ["Laptops", "OU=Laptops", "O=x,DC=y", "", "corp.example/Laptops"])
def test_what_is_no_unit(unit: str) -> None:
    assert faults(f"clients_unit = '{unit}'") == ["rollout.clients_unit"]


def test_the_location_is_asked_over_https() -> None:
    assert faults('location_url = "http://nls.corp.example/"') == ["rollout.location_url"]
    assert faults('location_url = "https://nls.corp.example/"') == []
