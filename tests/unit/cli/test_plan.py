"""``manageout plan``."""

from __future__ import annotations

import json
from ipaddress import IPv6Network
from pathlib import Path

import pytest

from manageout.cli.plan import plan
from tests.tools.commands import run

ROUTER = (
    '[site]\nprefix = "fd12:3456:789a::/48"\n[isatap]\nname = "mo-isatap.corp"\nlocators = ["10.0.0.1"]\n'
)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "site.toml"
    path.write_text(ROUTER)
    return str(path)


def test_for_people(file: str) -> None:
    text = run(plan, "--config", file).stdout
    assert "fd12:3456:789a:1:0:5efe:a00:1" in text
    assert "mo-isatap.corp" in text


def test_for_machines(file: str) -> None:
    sections = json.loads(run(plan, "--config", file, "--json").stdout)
    assert {section["title"] for section in sections} >= {"Addresses and prefixes", "DNS names to create"}


def test_a_new_prefix_is_random() -> None:
    prefixes = {json.loads(run(plan, "--new", "--json").stdout)["prefix"] for _ in range(3)}
    assert len(prefixes) == 3
    assert all(IPv6Network(prefix).subnet_of(IPv6Network("fd00::/8")) for prefix in prefixes)


def test_the_prefix_of_a_public_address() -> None:
    assert "2002:808:808::/48" in run(plan, "--public", "8.8.8.8").stdout
    for wrong in ("10.0.0.1", "8.8.8"):
        assert wrong in run(plan, "--public", wrong, code=2).output
