"""``manageout run``."""

from pathlib import Path

import click

from manageout.cli.options import options
from manageout.service.daemon import daemon


@click.command()
@options("run")
def run(file: Path, runtime_dir: Path | None, dry_run: bool) -> None:
    """The daemon: take every role that the site file names, in the foreground.

    SIGHUP reads the file again (one with faults is refused and the old one runs on); SIGTERM and SIGINT stop
    and remove everything that was made.
    """
    if not dry_run:
        daemon.run(file, runtime_dir)
        return
    steps = daemon.preview(file, runtime_dir)
    for number, step in enumerate(steps, 1):
        click.echo(f"{number:3}  {step.text}")
