"""Which domain controller, and as whom."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from manageout.cli.options import options
from manageout.cli.rollout.ad import Controller, with_controller
from manageout.errors import ConfigError
from manageout.site.tables.site import parse
from tests.tools import site_file
from tests.tools.commands import run

SITE = site_file.SITE + site_file.ROUTER
WITH_DOMAIN = SITE.replace("[isatap]", 'domain = "corp.example"\n[isatap]')


@click.command()
@options("shared.controller")
@click.option("--other", default="x")
@with_controller
def command(controller: Controller, other: str) -> None:
    click.echo(f"{controller.domain(parse(WITH_DOMAIN))[:3]} {other}")


def test_a_command_gets_both_as_one_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANAGEOUT_PASSWORD", "secret")
    told = run(command, "--server", "dc.corp.example", "--user", "anna").output
    assert told == "('corp.example', 'dc.corp.example', 'anna') x\n"
    assert run(command, "--other", "y").output == "('corp.example', '', '') y\n"


def test_the_password_is_asked_for_when_a_user_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MANAGEOUT_PASSWORD", raising=False)
    asked = CliRunner().invoke(command, ["--user", "anna"], input="secret\n")
    assert "Password of anna" in asked.stderr and "secret" not in asked.output
    assert asked.exit_code == 0


def test_without_a_domain_there_is_none() -> None:
    with pytest.raises(ConfigError):
        Controller("", "").domain(parse(SITE))
