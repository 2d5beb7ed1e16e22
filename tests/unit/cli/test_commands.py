"""``manageout`` itself: its help, and what becomes of words that are no command."""

from __future__ import annotations

from functools import partial

from tests.tools import commands

manageout = partial(commands.manageout, check=False)


def test_help_and_version_and_suggestion() -> None:
    assert "--dry-run" in manageout("run", "--help").stdout
    assert manageout("--version").stdout.startswith("manageout ")
    result = manageout("rnu")
    assert result.returncode == 2
    assert "did you mean `manageout run`?" in result.stderr
    assert len(result.stderr.splitlines()) == 2


def test_nothing_to_do_is_help() -> None:
    result = manageout()
    assert result.returncode == 2
    assert result.stderr.startswith("Usage: manageout ")


def test_a_wrong_option_is_one_line_and_a_hint() -> None:
    result = manageout("status", "--colour")
    assert result.returncode == 2
    assert result.stderr.splitlines()[1] == "  see `manageout status --help`"
