"""What the steps of ``manageout retire`` have in common."""

from __future__ import annotations

import functools
import os
import pwd
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from manageout.cli.show.options import FOLDER, PATH, config_option, together
from manageout.retire.retirement import Retirement

_state_dir = click.option("--state-dir", type=FOLDER, help="Instead of daemon.state_dir of the site file.")
force_option = click.option("--force", is_flag=True, help="Even if the evidence is too young; it is noted.")
usage_option = click.option(
    "--usage",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Use this record of calls (usage.db of the gateway, or of each router) instead; repeatable.",
)
router_option = click.option(
    "--runtime-dir",
    type=PATH,
    envvar="MANAGEOUT_RUNTIME_DIR",
    help="Directory of the router's control socket; daemon.runtime_dir of the site file when left out.",
)


def retirement_options(*more: Callable[[Any], Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--config``, ``--state-dir`` and ``more`` of the above; the command gets them as a :class:`Retirement`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_retirement(
            file: Path,
            state_dir: Path | None,
            runtime_dir: Path | None = None,
            usage: tuple[Path, ...] = (),
            force: bool = False,
            **others: Any,
        ) -> Any:
            retirement = Retirement.read(
                file, who(), state_dir=state_dir, runtime_dir=runtime_dir, usage=usage, force=force
            )
            return command(retirement, **others)

        return together(config_option, _state_dir, *more)(with_retirement)

    return decorate


def who() -> str:
    """Who runs this command, for the log: ``anna@router``, also behind sudo."""
    name = os.environ.get("SUDO_USER", "")
    if not name:
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"
