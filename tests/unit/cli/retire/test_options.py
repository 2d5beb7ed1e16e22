"""What the steps of a retirement are given."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from manageout.cli.options import options
from manageout.cli.retire.options import with_retirement
from manageout.retire.retirement import Retirement, who
from tests.tools.commands import run

SITE = """
[site]
prefix = "fd12:3456:789a::/48"
[isatap]
locators = ["10.0.0.5"]
[daemon]
state_dir = "/nowhere/state"
runtime_dir = "/nowhere/run"
"""


@click.command()
@options("retire.pilot")
@with_retirement
def step(retirement: Retirement, as_json: bool) -> None:
    click.echo(f"{retirement.store.path} {retirement.runtime_dir} {retirement.force} {len(retirement.usage)}")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "/nowhere/state/retire.db /nowhere/run False 0"),
        (["--force", "--state-dir", "/a", "--runtime-dir", "/b"], "/a/retire.db /b True 0"),
    ],
)
def test_what_is_not_given_is_as_the_site_file_says(tmp_path: Path, given: list[str], says: str) -> None:
    file = tmp_path / "site.toml"
    file.write_text(SITE)
    result = run(step, "--config", str(file), *given)
    assert result.output.strip() == says


def test_who_it_was_is_known_behind_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "anna")
    assert who().startswith("anna@")
    monkeypatch.delenv("SUDO_USER")
    assert who().partition("@")[0]
