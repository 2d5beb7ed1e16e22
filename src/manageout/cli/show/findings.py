"""How findings of the doctor are printed."""

import re
import textwrap
from collections.abc import Iterable

import click

from manageout.cli.show import table
from manageout.cli.show.output import COLOURS, printable
from manageout.doctor.diagnosis import Diagnosis
from manageout.doctor.report.live_report import lines
from manageout.service.probe.results import Live

_INDENT = " " * 10
_COMMAND = re.compile(r"(reg|netsh|nft|ip|[A-Z][a-z]+-[A-Z]\w+) ")


def show(found: Iterable[Diagnosis]) -> None:
    """Each finding: what, what was seen, why, what mends it, and what else it explains."""
    for finding in found:
        mark = click.style(finding.severity, fg=COLOURS[finding.severity], bold=True)
        click.echo(_title(finding).replace(finding.severity, mark, 1))
        for quote in finding.seen:
            click.echo(folded("seen", quote))
        if finding.cause:
            click.echo(folded("cause", finding.cause))
        for step in finding.remedy:
            click.echo(_remedy(printable(step)))
        if finding.hidden:
            click.echo(folded("hence", ", ".join(finding.hidden)))
        click.echo()


def _title(finding: Diagnosis) -> str:
    words = f"{finding.severity} {finding.code} on {printable(finding.computer)}: {printable(finding.title)}"
    return table.folded(words, "", _INDENT)


def _remedy(step: str) -> str:
    """The command in one piece, for it is to be copied; what is said about it may go below."""
    line = f"  remedy  {step}"
    if len(line) <= table.COLUMNS:
        return line
    command, gap, about = step.partition("   (")
    if gap:
        return f"  remedy  {command}\n{table.folded(f'({about}', _INDENT + '  ', _INDENT + '  ')}"
    return line if _COMMAND.match(step) else folded("remedy", step)


def report(live: Live) -> None:
    """What a look at a running machine found, before what is wrong with it."""
    for line in lines(live):
        click.echo(
            textwrap.fill(printable(line), table.COLUMNS, subsequent_indent=" " * 14, break_on_hyphens=False)
        )
    click.echo()


def wrong(found: Iterable[Diagnosis]) -> bool:
    """Whether somebody should act; notes do not count."""
    return any(finding.severity != "note" for finding in found)


def folded(label: str, text: str) -> str:
    """A labelled text in lines of the width."""
    return table.folded(printable(text), f"  {label:<8}", _INDENT)


def item(text: str) -> str:
    """A line of a list in lines of the width; a command at its end in one piece, for it is to be copied."""
    said, gap, command = text.rpartition(": ")
    apart = len(text) + 2 > table.COLUMNS and gap and _COMMAND.match(command)
    lines = table.folded(f"{said}:" if apart else text, "  ", "    ")
    return f"{lines}\n      {command}" if apart else lines
