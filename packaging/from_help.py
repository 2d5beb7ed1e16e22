"""Man pages and shell completions, from the help of the command: ``from_help.py DIR``. Wants click-man."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from click.shell_completion import get_completion_class
from click_man.core import write_man_pages

from manageout import __version__
from manageout.cli.commands import cli


def imported(group: click.Group) -> click.Group:
    """``group`` with the commands that it imports when they are called: click-man looks for no others."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        group.commands[name] = imported(command) if isinstance(command, click.Group) else command
    return group


def write(folder: Path) -> None:
    """``man/NAME.1`` and ``manageout.SHELL`` in ``folder``."""
    (folder / "man").mkdir(parents=True, exist_ok=True)
    day = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC).strftime("%Y-%m-%d")
    write_man_pages("manageout", imported(cli), version=__version__, target_dir=str(folder / "man"), date=day)
    for shell in ("bash", "zsh", "fish"):
        kind = get_completion_class(shell)
        assert kind is not None, shell
        script = kind(cli, {}, "manageout", "_MANAGEOUT_COMPLETE")
        (folder / f"manageout.{shell}").write_text(script.source_template % script.source_vars())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
