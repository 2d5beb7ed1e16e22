"""Options that several commands have, each told once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from manageout.service.process.client import DEFAULT_RUNTIME_DIR

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_ENVIRONMENT = "MANAGEOUT_RUNTIME_DIR"
DEFAULT_CONFIG = "/etc/manageout/site.toml"
PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)


def together(*options: Callable[[Any], Any]) -> Callable[[Decorated], Decorated]:
    """Several options as one decorator; the help has them in this order."""

    def decorate(command: Decorated) -> Decorated:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


socket_option = click.option(
    "--runtime-dir",
    type=PATH,
    envvar=_ENVIRONMENT,
    default=DEFAULT_RUNTIME_DIR,
    show_default=True,
    help="Directory of the daemon's control socket.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Machine-readable, stable; times are Unix seconds."
)
watch_option = click.option(
    "--watch",
    type=click.FloatRange(min=0.1),
    is_flag=False,
    flag_value=2.0,
    metavar="[SECONDS]",
    help="Repeat, every two seconds unless told; with --json one line each time.",
)
wide_option = click.option("--wide", is_flag=True, help="Every column, however wide the table becomes.")
