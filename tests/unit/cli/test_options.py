"""Options that are declared in a table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from manageout.cli.options import options, taking
from manageout.words import toml_of
from tests.tools.commands import run

CODE = Path(__file__).parents[3] / "src" / "manageout" / "cli"


def tables(found: dict[str, Any], above: str = "") -> list[str]:
    """Names of the tables of options, but for the shared ones."""
    if any(key.startswith("-") or value == "shared" for key, value in found.items()):
        return [above]
    inner = (tables(table, f"{above}.{name}".strip(".")) for name, table in found.items() if name != "shared")
    return [name for names in inner for name in names]


def test_each_table_is_that_of_one_command() -> None:
    used = [
        name for path in CODE.rglob("*.py") for name in re.findall(r'@options\("([\w.-]+)"', path.read_text())
    ]
    assert sorted({*used} - {"rollout.machines"}) == sorted(
        tables(toml_of("manageout.cli", "options.toml"))
    ), "a table that nobody reads, or none"


def test_flags_numbers_and_shared_options() -> None:
    @click.command()
    @options("retire.judge")
    def command(**given: object) -> None:
        click.echo(repr(given))

    said = run(command, "--days", "0.5", "--force").output
    assert "'days': 0.5" in said and "'force': True" in said and "'usage': ()" in said
    assert "0.001 is not in the range" in run(command, "--days", "0.001", code=2).output
    assert "does not exist" in run(command, "--usage", "/nowhere", code=2).output
    usage = run(command, "--help").output
    places = [
        usage.index(name) for name in ("--config", "--state-dir", "--force", "--usage", "--gateway", "--json")
    ]
    assert places == sorted(places)


def test_a_type_that_only_one_command_has() -> None:
    @click.command()
    @options("import", via=lambda text: text.upper())
    def command(vias: tuple[str, ...], locators: tuple[object, ...], **_others: object) -> None:
        click.echo(f"{vias} {locators}")

    told = run(command, "--via", "a=b", "--locator", "10.0.0.1").output
    assert told == "('A=B',) (IPv4Address('10.0.0.1'),)\n"
    assert "'10.0.0' is not an IPv4 address, such as" in run(command, "--locator", "10.0.0", code=2).output


def test_what_options_make_is_one_parameter_and_what_a_command_lacks_has_its_default() -> None:
    def joined(cert: str, key: str = "none") -> str:
        return f"{cert}+{key}"

    @click.command()
    @click.option("--cert")
    @click.option("--other")
    @taking("pair", joined)
    def command(pair: str, other: str) -> None:
        click.echo(f"{pair} {other}")

    assert run(command, "--cert", "a", "--other", "b").output == "a+none b\n"
