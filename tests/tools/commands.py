"""The command line: ``run`` calls a command in this process, ``manageout`` starts the program."""

from __future__ import annotations

import subprocess
import sys

import click
from click.testing import CliRunner, Result

MANAGEOUT = (sys.executable, "-m", "manageout")


def run(
    command: click.Command, *arguments: str, pasted: str | bytes | None = None, code: int | None = 0
) -> Result:
    """Call a command; what it raises is raised, and it must exit with ``code`` (None: whatever)."""
    done = CliRunner().invoke(command, arguments, input=pasted, catch_exceptions=False)
    assert code is None or done.exit_code == code, done.output
    return done


def manageout(*arguments: str, check: bool = True, seconds: float = 110) -> subprocess.CompletedProcess[str]:
    """Run ``manageout ARGUMENTS`` to its end."""
    argv = [*MANAGEOUT, *arguments]
    result = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=seconds)
    assert not check or result.returncode == 0, result.stdout + result.stderr
    return result
