"""``manageout stop``."""

from pathlib import Path

import click

from manageout.cli.options import options
from manageout.errors import ConfigError
from manageout.service.daemon.clean import clean as clean_up
from manageout.service.names.removal import remove_names
from manageout.service.process.ending import end
from manageout.service.process.runtime import RuntimeDir
from manageout.site.contradictions import read_site
from manageout.site.plan import Plan
from manageout.site.tables.site import DaemonTable, Site


@click.command()
@options("stop")
@click.pass_context
def stop(ctx: click.Context, file: Path, runtime_dir: Path | None, clean: bool) -> None:
    """End the daemon, or the `connect` or `join` of --runtime-dir, and wait until it has taken back what it made.

    What systemd runs is stopped by systemctl: it might start it again. With --clean it exits with 1 when names are
    left in the DNS.
    """
    known = _known(file)
    its_own = known[0].daemon.runtime_dir if known else DaemonTable().runtime_dir
    directory = runtime_dir or its_own
    process = end(RuntimeDir(directory), kill=clean)
    done = [f"end process {process}"] if process else []
    if clean:
        done += clean_up(directory)
    click.echo("\n".join(done) or "There is nothing of ours.")
    if clean and directory == its_own and known and known[0].names:
        removal = remove_names(*known, directory)
        for left in removal.left:
            click.echo(f"left in the DNS: {left.name}: {left.why} ({left.remedy})")
        ctx.exit(1 if removal.left else 0)


def _known(file: Path) -> tuple[Site, Plan] | None:
    """The site, if there is a file and it can be read: a fault in it is no reason to go on running."""
    if not file.exists():
        return None
    try:
        return read_site(file)
    except ConfigError as error:
        click.echo(f"{error.message}: taken as if there were none", err=True)
        return None
