"""What tables need on this machine."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from manageout.config import Site, parse
from manageout.service import check_needs
from manageout.service.check_needs import needs

SITE = """
[site]
prefix = "fd12:3456:789a::/48"
domain = "corp.example"
[isatap]
locators = ["10.0.0.1"]
name = "r.corp.example"
[daemon]
state_dir = "{state}"
runtime_dir = "{state}/run"
"""


def site(state: Path, more: str = "") -> Site:
    return parse(SITE.format(state=state) + more)


def found(state: Path, more: str = "") -> list[str]:
    return [f"{severity}: {message}" for severity, message, remedy in needs(site(state, more)) if remedy]


def test_a_router_needs_nothing(tmp_path: Path) -> None:
    assert found(tmp_path) == []
    assert found(tmp_path / "not" / "yet") == []


def test_a_place_that_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    one, other = found(tmp_path / "file")
    assert one.startswith("error: daemon.state_dir") and other.startswith("error: daemon.runtime_dir")


def test_kerberos_needs_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = '[names]\nservers = ["10.0.0.10"]\nauthentication = "kerberos"\nkeytab = "/k"\n'
    there = importlib.util.find_spec("gssapi") is not None
    assert bool(found(tmp_path, more)) != there
    assert found(tmp_path, more.replace('"kerberos"\nkeytab = "/k"', '"none"')) == []


def test_publishing_needs_samba_in_the_systems_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = '[rollout]\nmanagers_group = "ISATAP Managers"\n'
    python = tmp_path / "python"
    for code, expected in ((0, []), (1, ["note"])):
        python.write_text(f"#!/bin/sh\nexit {code}\n")
        python.chmod(0o755)
        monkeypatch.setattr(check_needs, "PYTHON", str(python))
        assert [line.partition(":")[0] for line in found(tmp_path, more)] == expected
    monkeypatch.setattr(check_needs, "PYTHON", str(tmp_path / "absent"))
    assert len(found(tmp_path, more)) == 1
    assert found(tmp_path, '[rollout]\nprefix = "X"\n') == []
