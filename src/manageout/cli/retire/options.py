"""What the steps of ``manageout retire`` have in common."""

from __future__ import annotations

import functools
import os
import pwd
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from manageout.retire.retirement import Retirement

STEP_OPTIONS = ("state_dir", "runtime_dir", "usage", "force")


def with_retirement(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--config``, ``--state-dir``, and of ``--runtime-dir``, ``--usage`` and ``--force`` what the command has, as a
    :class:`Retirement`."""

    @functools.wraps(command)
    def retiring(file: Path, **others: Any) -> Any:
        given = {name: others.pop(name) for name in STEP_OPTIONS if name in others}
        return command(Retirement.read(file, who(), **given), **others)

    return retiring


def who() -> str:
    """Who runs this command, for the log: ``anna@router``, also behind sudo."""
    name = os.environ.get("SUDO_USER", "")
    if not name:
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"
