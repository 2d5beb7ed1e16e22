"""``manageout retire report``: for the change board."""

from __future__ import annotations

import time
from pathlib import Path

import click

from manageout.cli.retire.retire import opened, site_options
from manageout.cli.retire.seen import look, records, runtime_dir_option, usage_option


@click.command()
@site_options
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="here",
    help="Folder for retirement.html and retirement.md.",
)
@usage_option
@runtime_dir_option
def report(
    file: Path, state_dir: Path | None, output: Path, usage: tuple[Path, ...], runtime_dir: Path | None
) -> None:
    """A report for the change board, as a web page that stands alone and as Markdown.

    Figures before and now, a chart of who calls clients which way, who was told and what serves them, what was done by
    whom. May be made at any time, also without the router.
    """
    from manageout.errors import ManageoutError
    from manageout.retire import report as retire_report
    from manageout.retire.watch import observe
    from manageout.service.process.files import replace_file

    site, _, store = opened(file, state_dir)
    now = time.time()
    seen, fault = look(store, runtime_dir or site.daemon.runtime_dir, usage)
    made = retire_report.Report(
        site.site.name,
        now,
        store.phase(),
        store.entries(),
        observe(seen, now),
        seen.verdicts,
        retire_report.days(seen.usage),
        [run for record in records(store, usage) for run in record.runs()],
        fault,
    )
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ManageoutError(f"{output}: {error.strerror}", "choose another --output") from None
    for name, text in (
        ("retirement.html", retire_report.html(made)),
        ("retirement.md", retire_report.markdown(made)),
    ):
        replace_file(output / name, text.encode(), 0o644)
        click.echo(f"{output / name} is written")
