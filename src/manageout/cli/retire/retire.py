"""``manageout retire``: the way out of ISATAP, a step at a time; what its commands have in common."""

from __future__ import annotations

import importlib
import os
import pwd
import socket
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from manageout.cli.run import config_option
from manageout.cli.show.output import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from manageout.service.state.retire import RetireStore
    from manageout.site.plan import Plan
    from manageout.site.tables.site import Site

    Decorated = TypeVar("Decorated", bound=Callable[..., Any])

STEPS = {
    "census": (
        "manageout.cli.retire.census",
        "census",
        "Who has to do with ISATAP: hosts, records, names, policies.",
    ),
    "judge": (
        "manageout.cli.retire.judge",
        "judge",
        "Who really calls clients by it, and what will serve them instead.",
    ),
    "pilot": ("manageout.cli.retire.pilot", "pilot", "Chosen hosts let go by themselves."),
    "watch": ("manageout.cli.retire.watch", "watch", "Who let go, who still sends, what fails."),
    "forward": ("manageout.cli.retire.pilot", "forward", "The next hosts, or all of them."),
    "remove": ("manageout.cli.retire.remove", "remove", "Records and policies go, too."),
    "undo": ("manageout.cli.retire.pilot", "undo", "Everything is as it was before the pilot."),
    "report": ("manageout.cli.retire.report", "report", "For the change board: a page, and Markdown."),
    "status": ("manageout.cli.retire.judge", "status", "How far it is, who did what, and what comes next."),
}
"""Name -> module, click command in it, one line for ``--help``; in the order of the way."""

WIDTH = 100


class Steps(click.Group):
    """A group whose commands live in :data:`STEPS` and are imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the way."""
        return list(STEPS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the module of ``name``."""
        if name not in STEPS:
            return None
        module, attribute, _ = STEPS[name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table, so that ``--help`` imports nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in STEPS.items()])


@click.group(cls=Steps)
def retire() -> None:
    """The way out of ISATAP, a step at a time, each with its undo.

    Run it as root on the ISATAP router: what it knows and does is kept in daemon.state_dir (retire.db). Each step
    rests upon the one before and is refused while that has been observed for too short a time
    (isatap.retire_evidence, 7 days); --force insists, and is noted.
    """


def site_options(command: Decorated) -> Decorated:
    """``--config``, ``--state-dir``."""
    state = click.option(
        "--state-dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="Instead of daemon.state_dir of the site file.",
    )
    return config_option(state(command))


force_option = click.option("--force", is_flag=True, help="Even if the evidence is too young; it is noted.")


def opened(file: Path, state_dir: Path | None) -> tuple[Site, Plan, RetireStore]:
    """The site and what is known of its way out."""
    from manageout.service.state.retire import RetireStore
    from manageout.site.contradictions import read_site

    site, plan = read_site(file)
    return site, plan, RetireStore(state_dir or site.daemon.state_dir)


def evidence_age(site: Site) -> float:
    """Seconds for which each step must have been observed."""
    from manageout.service.state.retire_phases import EVIDENCE_AGE

    return float(site.isatap.retire_evidence) if site.isatap else EVIDENCE_AGE


def short(text: str, width: int) -> str:
    """Cut to ``width`` columns; --json has all of it."""
    return text if len(text) <= width else text[: width - 3] + "..."


def listed(title: str, texts: Iterable[str]) -> str:
    """A title, and texts below it, folded at 100 columns."""
    wrapper = textwrap.TextWrapper(
        WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join([title, *(wrapper.fill(printable(text)) for text in texts)])


def who() -> str:
    """Who runs this command, for the log: ``anna@router``, also behind sudo."""
    name = os.environ.get("SUDO_USER", "")
    if not name:
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"
