"""``manageout rollout gpo --publish | status | undo``: the rendered policies in a real Active Directory."""

import os
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import click

from manageout.cli.options import options, taking
from manageout.cli.show.table import COLUMNS
from manageout.directory.ad.domain import Domain
from manageout.rollout import publish as active_directory
from manageout.rollout.targets import domain_of, wanted_policies
from manageout.site.contradictions import read_site
from manageout.site.tables.site import Site
from manageout.words import counted

DRIFT = 1
"""Exit code of ``rollout status`` when something differs."""


class Controller(NamedTuple):
    """Which domain controller, and as whom."""

    server: str
    user: str

    def domain(self, site: Site) -> Domain:
        """The site's domain there, after asking for the password if a user is named. Raises :class:`ConfigError`."""
        name, password = domain_of(site), ""
        if self.user:
            password = os.environ.get("MANAGEOUT_PASSWORD") or click.prompt(
                f"Password of {self.user}", hide_input=True, err=True
            )
        return Domain(name, self.server, self.user, password)


with_controller = taking("controller", Controller)


@click.command("status")
@options("rollout.status")
@with_controller
def rollout_status(file: Path, controller: Controller, off: bool) -> None:
    """What differs between Active Directory and the site file; exit status 1 when anything does."""
    site, plan = read_site(file)
    wanted = wanted_policies(site, plan, on=not off)
    domain = controller.domain(site)
    lines = active_directory.compare(domain, wanted)
    _show(lines)
    if lines:
        raise click.exceptions.Exit(DRIFT)
    count = counted(len(wanted), "policy", "policies")
    click.echo(f"as the site file says{', turned off' * off}: {count} in {domain.name}")


@click.command("undo")
@options("rollout.undo")
@with_controller
def rollout_undo(file: Path, controller: Controller, backups: Path) -> None:
    """Restore in Active Directory what was there before the last `rollout gpo --publish`."""
    site = read_site(file)[0]
    domain = controller.domain(site)
    for line in active_directory.undo(domain, backups, click.echo):
        click.echo(f"changed since it was published, kept in {backups}: {line}")
    click.echo(f"{domain.name} is as it was before")
    _after_name_rules(site)


def publish(file: Path, controller: Controller, backups: Path, *, dry_run: bool, on: bool) -> None:
    """For ``rollout gpo``; ``on``: not turned off."""
    site, plan = read_site(file)
    wanted = wanted_policies(site, plan, on=on)
    domain = controller.domain(site)
    if dry_run:
        _show(active_directory.compare(domain, wanted) or ["nothing differs"])
        return
    backup = active_directory.publish(domain, wanted, backups, click.echo)
    click.echo(
        f"published; what was there before: {backup}" if backup else "nothing differs, nothing written"
    )
    if not on:
        _after_name_rules(site)


def _after_name_rules(site: Site) -> None:
    """What a policy cannot do by being taken away."""
    if site.gateway is not None and site.rollout is not None and site.rollout.clients_group:
        words = "on clients an empty list of name rules may stay, which silences those of others: name-rules.ps1 of"
        click.echo(f"{words} `manageout rollout gpo` removes it")


def _show(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(textwrap.fill(line, COLUMNS, subsequent_indent="  ", break_on_hyphens=False))
