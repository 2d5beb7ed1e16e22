"""How findings of the doctor are printed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from manageout.cli.output import printable

if TYPE_CHECKING:
    from manageout.doctor.findings import Finding
    from manageout.doctor.live import Live

WIDTH = 100
_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
_INDENT = " " * 10


def show(found: Iterable[Finding]) -> None:
    """Each finding: what, what was seen, why, what mends it, and what else it explains."""
    for finding in found:
        mark = click.style(finding.severity, fg=_COLOURS[finding.severity], bold=True)
        click.echo(f"{mark} {finding.code} on {printable(finding.computer)}: {printable(finding.title)}")
        for quote in finding.seen:
            click.echo(folded("seen", quote))
        if finding.cause:
            click.echo(folded("cause", finding.cause))
        for step in finding.remedy:
            click.echo(f"  remedy  {printable(step)}")  # in one piece: it is to be copied
        if finding.hidden:
            click.echo(folded("hence", ", ".join(finding.hidden)))
        click.echo()


def report(live: Live) -> None:
    """What a look at a running machine found, before what is wrong with it."""
    from manageout.doctor.live_report import lines

    for line in lines(live):
        click.echo(textwrap.fill(printable(line), WIDTH, subsequent_indent=" " * 14, break_on_hyphens=False))
    click.echo()


def wrong(found: Iterable[Finding]) -> bool:
    """Whether somebody should act; notes do not count."""
    return any(finding.severity != "note" for finding in found)


def folded(label: str, text: str) -> str:
    """A labelled text in lines of the width."""
    return textwrap.fill(
        printable(text),
        WIDTH,
        initial_indent=f"  {label:<8}",
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
