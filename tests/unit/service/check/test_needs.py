"""What tables need on this machine."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from manageout.service.check import needs as check_needs
from manageout.service.check.needs import needs, restart
from manageout.site.tables.site import Site, parse

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


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        ((), []),  # nobody answered
        (("isatap", "policy", "usage"), []),
        (("policy",), ["[isatap] is new to the running daemon"]),
        (("isatap", "iphttps"), ["the running daemon still has [gateway]"]),
        (("isatap", "router-name"), ["the running daemon still has [names]"]),
    ],
)
def test_what_a_reload_does_not_change(tmp_path: Path, roles: tuple[str, ...], words: list[str]) -> None:
    rows = list(restart(site(tmp_path), frozenset(roles)))
    assert [message.partition(":")[0] for _, message, _ in rows] == words
    assert all(severity == "note" and "restart" in remedy for severity, _, remedy in rows)


def test_the_roles_are_those_that_the_daemon_shows(tmp_path: Path) -> None:
    """By the classes' own names, which its status shows."""
    from manageout.service.dns64.dns64 import Dns64Service
    from manageout.service.iphttps.server import IpHttpsServerService
    from manageout.service.isatap.router import IsatapRouterService
    from manageout.service.names.names import NamesService
    from manageout.service.translate.translator import TranslatorService

    classes = (IpHttpsServerService, IsatapRouterService, TranslatorService, Dns64Service, NamesService)

    def told(*roles: str) -> list[str]:
        return [message for _, message, _ in restart(site(tmp_path), frozenset(roles))]

    for each in classes:
        assert told("policy", each.name) != told("policy"), each.name
