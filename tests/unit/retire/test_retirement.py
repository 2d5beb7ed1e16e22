"""What a step looks at: the site, the store, the router, the records of calls."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from manageout.errors import ConfigError
from manageout.retire import retirement as module
from manageout.retire.retirement import Retirement
from manageout.service.state.retire import Member
from tests.unit.conftest import Serve

SITE = """
[site]
prefix = "fd12:3456:789a::/48"
[isatap]
locators = ["10.0.0.5"]
retire_evidence = 7200
"""
MEMBERS = [Member(IPv4Network("10.0.1.0/24"), "helpdesk", 1.0)]


@pytest.fixture
def retirement(tmp_path: Path) -> Retirement:
    file = tmp_path / "site.toml"
    file.write_text(SITE)
    return Retirement.read(file, "anna@router", state_dir=tmp_path, runtime_dir=tmp_path)


def test_what_the_site_file_says_and_who_asks(retirement: Retirement, tmp_path: Path) -> None:
    assert (retirement.by, retirement.evidence_age, retirement.force) == ("anna@router", 7200.0, False)
    assert retirement.store.path == tmp_path / "retire.db"
    with pytest.raises(ConfigError):
        Retirement.read(tmp_path / "absent.toml", "anna@router")


def test_without_a_record_nothing_was_watched(retirement: Retirement) -> None:
    assert retirement.records() == []
    assert retirement.watched(0.0) == 0.0


def test_a_router_that_cannot_be_asked_is_told(retirement: Retirement) -> None:
    seen, fault = retirement.look()
    assert (seen.hosts, seen.drops) == ([], [])
    assert "nothing answers" in fault
    assert retirement.taken_up(MEMBERS).endswith("the router takes it up when it starts")


@pytest.mark.parametrize(
    ("roles", "says"),
    [
        ({"isatap": {"retiring": ["10.0.1.0/24"]}}, ""),
        ({"isatap": {}}, "has not taken it up"),
        ({"iphttps": {}}, "no ISATAP router"),
    ],
)
def test_the_router_says_whom_it_tells(
    retirement: Retirement, serve: Serve, monkeypatch: pytest.MonkeyPatch, roles: dict[str, Any], says: str
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    serve({"status": {"roles": roles}})
    fault = retirement.taken_up(MEMBERS)
    assert says in fault and bool(says) == bool(fault)
