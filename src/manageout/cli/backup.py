"""``manageout backup`` and ``manageout restore``."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import click

from manageout.cli.options import options
from manageout.cli.show.options import FILE
from manageout.errors import ConfigError
from manageout.service.process.runtime import RuntimeDir
from manageout.service.state import backup as archive
from manageout.site.tables.site import DaemonTable, load


@click.command()
@options("backup")
@click.argument("target", metavar="FILE", type=FILE)
def backup(file: Path, target: Path, without_secrets: bool) -> None:
    """Copy the site file, the files that it names and all state into FILE, also while the daemon runs.

    FILE is a tar that only its owner may read: the gateway's key is in it.
    """
    names = archive.save(file, load(file), target, secrets=not without_secrets)
    click.echo(f"{target} holds {', '.join(names)}")


@click.command()
@options("restore")
@click.argument("source", metavar="FILE", type=FILE)
def restore(file: Path, source: Path, force: bool) -> None:
    """Bring back what `manageout backup` has written to FILE; the daemon must not run.

    Nothing is written unless everything can be read. All becomes root's, mode 0600, the site file 0644.
    """
    site, kept = archive.load(source, file)
    with ExitStack() as locks:  # nobody writes meanwhile, or takes what was there for what is
        for directory in sorted({site.daemon.runtime_dir, *_of_what_is_there(file)}):
            locks.enter_context(RuntimeDir(directory))
        archive.put_back(kept, force=force)
    click.echo("\n".join(f"{each.path} is written" for each in kept))


def _of_what_is_there(file: Path) -> Iterator[Path]:
    """The runtime directory of a daemon that may run with the ``file`` that is to be replaced."""
    if file.exists():
        try:
            yield load(file).daemon.runtime_dir
        except ConfigError:  # a running one may have read it before it was broken
            yield DaemonTable().runtime_dir
