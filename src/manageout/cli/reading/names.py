"""``manageout names``."""

from pathlib import Path

import click

from manageout.cli.options import options
from manageout.service.names.removal import remove_names
from manageout.site.contradictions import read_site


@click.group()
def names() -> None:
    """Clients' names in the intranet's DNS."""


@names.command()
@options("names.remove")
@click.pass_context
def remove(ctx: click.Context, file: Path, runtime_dir: Path | None) -> None:
    """Remove every record that this gateway has put there, after it was stopped for good.

    A stop alone leaves them, because most stops are restarts. Exits with 1 when some could not be removed: run it
    again.
    """
    removal = remove_names(*read_site(file), runtime_dir)
    for name in removal.removed:
        click.echo(f"removed {name}")
    for left in removal.left:
        click.echo(f"left    {left.name}: {left.why} ({left.remedy})")
    if not removal.removed and not removal.left:
        click.echo("There is nothing of ours.")
    ctx.exit(1 if removal.left else 0)
