"""``manageout retire report``: for the change board."""

from pathlib import Path

import click

from manageout.cli.options import options
from manageout.cli.retire.options import with_retirement
from manageout.cli.show import files
from manageout.retire.report import Report, days, html, markdown
from manageout.retire.retirement import Retirement
from manageout.retire.watch import observe


@click.command()
@options("retire.report")
@with_retirement
def report(retirement: Retirement, output: Path) -> None:
    """A report for the change board, as a web page that stands alone and as Markdown.

    Figures before and now, a chart of who calls clients which way, who was told and what serves them, what was done by
    whom. May be made at any time, also without the router.
    """
    store, now = retirement.store, retirement.now
    seen, fault = retirement.look()
    made = Report(
        retirement.site.site.name,
        now,
        store.phase(),
        store.entries(),
        observe(seen, now),
        seen.verdicts,
        days(seen.usage),
        [run for record in retirement.records() for run in record.runs()],
        fault,
    )
    files.write(output / "retirement.html", html(made).encode())
    files.write(output / "retirement.md", markdown(made).encode())
