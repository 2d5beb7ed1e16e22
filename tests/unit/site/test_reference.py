"""The reference pages: what the program prints about the site file; every command and option."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from manageout.cli.commands import COMMANDS, cli
from manageout.site.contradictions import contradictions
from manageout.site.plan import plan
from manageout.site.reference import reference_text
from manageout.site.tables.site import parse

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "configuration.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == reference_text(), (
        "manageout check --reference > docs/reference/configuration.md"
    )


def test_every_option_is_described() -> None:
    rows = [line for line in reference_text().splitlines() if line.startswith("| `")]
    assert len(rows) > 40
    for row in rows:
        *_, text = (cell.strip() for cell in row.rstrip(" |").split(" | "))
        assert len(text) > 5, row


def options(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield from (name for name in parameter.opts if name.startswith("--") and name != "--help")
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield name
            inner = command.get_command(context, name)
            assert inner
            yield from options(inner)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_commands_page_knows_every_command_and_option(name: str) -> None:
    text = (PAGE.parent / "commands.md").read_text()
    assert f"manageout {name}" in text
    command = cli.get_command(click.Context(cli), name)
    assert command
    unknown = {option for option in options(command) if option not in text}
    assert not unknown


@pytest.mark.parametrize("page", ["targeted-rollout", "load-balanced-farms"])
def test_the_guide_names_only_what_exists(page: str) -> None:
    text = (PAGE.parents[1] / "guide" / f"{page}.md").read_text()
    used = [
        line.split()
        for line in re.findall(r"^    manageout (.*)$|`manageout ([^`]*)`", text, re.M)
        for line in line
    ]
    assert any(used)
    for words in filter(None, used):
        command = cli.get_command(click.Context(cli), words[0])
        assert command, words
        if isinstance(command, click.Group) and len(words) > 1:
            command = command.get_command(click.Context(command), words[1])
            assert command, words
        assert {word for word in words if word.startswith("--")} <= set(options(command)), words


def test_the_site_file_of_the_targeted_rollout_is_one() -> None:
    text = (PAGE.parents[1] / "guide" / "targeted-rollout.md").read_text()
    site = parse(text.partition("```toml\n")[2].partition("```")[0])
    assert contradictions(site, plan(site)) == []
