"""``manageout rollout``: what it prints, what it writes, what it refuses."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from manageout.cli.rollout.rollout import rollout
from manageout.errors import ConfigError, ManageoutError
from tests.tools import commands, site_file
from tests.tools.site_file import GATEWAY

SITE = """
[site]
prefix = "fd12:3456:789a::/48"
domain = "corp.example"
[isatap]
name = "manageout-isatap.corp.example"
locators = ["10.0.0.1"]
[rollout]
managers_group = "ISATAP Managers"
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    return str(path)


run = partial(commands.run, rollout)


def test_a_script_on_the_screen_and_its_inverse(file: str) -> None:
    assert "$router = 'manageout-isatap.corp.example'" in run("powershell", "-c", file).stdout
    assert "Reset-NetIsatapConfiguration" in run("powershell", "-c", file, "--undo").stdout


def test_a_file_as_windows_powershell_wants_it(file: str, tmp_path: Path) -> None:
    out = tmp_path / "on.ps1"
    assert f"{out} is written" in run("powershell", "-c", file, "-o", str(out), "--computer", "pc1").stdout
    data = out.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf#") and b"'pc1'" in data
    assert data.count(b"\n") == data.count(b"\r\n")


def test_a_batch_file_has_no_byte_order_mark(file: str, tmp_path: Path) -> None:
    out = tmp_path / "on.cmd"
    run("netsh", "-c", file, "-o", str(out))
    assert out.read_bytes().startswith(b"@echo off\r\n")
    assert "state=default" in run("netsh", "-c", file, "--undo").stdout


def test_hosts_lines_alone(file: str) -> None:
    assert run("hosts-file", "-c", file, "--lines").stdout == "10.0.0.1 manageout-isatap.corp.example\n"
    assert "'10.0.0.1 manageout-isatap.corp.example'" in run("hosts-file", "-c", file).stdout
    assert "$wanted = @()" in run("hosts-file", "-c", file, "--undo").stdout


@pytest.mark.parametrize("command", ["powershell", "netsh", "hosts-file"])
def test_the_bare_name_is_refused_unless_forced(file: str, command: str) -> None:
    with pytest.raises(ManageoutError, match="every Windows machine"):
        run(command, "-c", file, "--router", "isatap")
    done = run(command, "-c", file, "--router", "isatap", "--force")
    assert "GlobalQueryBlockList" in done.stderr and "GlobalQueryBlockList" not in done.stdout


def test_the_folder_for_group_policies(file: str, tmp_path: Path) -> None:
    out = tmp_path / "gpo"
    for _ in range(2):  # a repeated rendering replaces the first
        text = run("gpo", "-c", file, "-o", str(out)).stdout
        assert "Manageout: ISATAP managers: 2 values, for ISATAP Managers" in text
        assert {path.name for path in out.iterdir()} == {
            "on",
            "off",
            "publish.ps1",
            "unpublish.ps1",
            "SUMMARY.md",
        }
        assert len(list((out / "on").iterdir())) == 2
    assert len(list(out.rglob("registry.pol"))) == 2


def test_a_folder_that_cannot_be_made(file: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(ManageoutError, match="x"):
        run("gpo", "-c", file, "-o", str(tmp_path / "x" / "y"))


BARE = site_file.SITE + site_file.DOMAIN
ROUTER = BARE + site_file.ROUTER
MANAGER = '[[policy.managers]]\nfrom = ["10.0.1.30"]\nservices = ["tcp/3389"]\n'


@pytest.mark.parametrize(
    ("command", "text", "key", "example"),
    [
        ("powershell", ROUTER, "isatap.name", "manageout-isatap.corp.example"),
        ("netsh", ROUTER, "isatap.name", "manageout-isatap.corp.example"),
        ("hosts-file", ROUTER, "isatap.name", "manageout-isatap.corp.example"),
        ("hosts-file --router r.corp.example", BARE + GATEWAY, "isatap", "addresses"),
        ("dns", BARE + GATEWAY, "isatap.name", "manageout-isatap.corp.example"),
        ("dns --router r.corp.example", ROUTER, "names", 'servers = ["10.0.0.10"]'),
        ("undo", ROUTER.replace('domain = "corp.example"', ""), "site.domain", "corp.example"),
        ("status", ROUTER, "rollout", 'managers_group = "ISATAP Managers"'),
        ("gpo --publish", ROUTER, "rollout", 'managers_group = "ISATAP Managers"'),
        ("gpo", ROUTER, "rollout", 'managers_group = "ISATAP Managers"'),
        ("gpo", ROUTER + '[rollout]\nmanagers_group = "M"\n', "isatap.name", "manageout-isatap.corp.example"),
        ("gpo", ROUTER + '[rollout]\nclients_group = "C"\n', "policy.managers", 'services = ["tcp/3389"]'),
        (
            "gpo",
            BARE + GATEWAY + '[rollout]\nclients_group = "C"\n',
            "rollout.gateway_name",
            "gateway.corp.example",
        ),
        (
            "gpo",
            (ROUTER + '[rollout]\nclients_group = "C"\n' + MANAGER).replace('domain = "corp.example"', ""),
            "site.domain",
            "corp.example",
        ),
    ],
)
def test_what_the_site_file_lacks_is_named_with_an_example(
    tmp_path: Path, command: str, text: str, key: str, example: str
) -> None:
    file = tmp_path / "site.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        run(*command.split(), "--config", str(file))
    fault = refused.value.faults[0]
    assert fault.path == key and example in fault.hint
