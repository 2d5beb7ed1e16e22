"""``manageout rollout gpo --publish | status | undo``: the rendered policies in a real Active Directory."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from manageout.cli.run import config_option
from manageout.cli.show.fitted import COLUMNS
from manageout.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from manageout.directory.ad.domain import Domain
    from manageout.site.tables.site import Site
    from manageout.windows.gpo import Wanted

    Decorated = TypeVar("Decorated", bound=Callable[..., Any])

DRIFT = 1
"""Exit code of ``rollout status`` when something differs."""


def directory_options(command: Decorated) -> Decorated:
    """Which domain controller, and as whom."""
    options = [
        click.option("--server", default="", metavar="NAME", help="Domain controller; else found by DNS."),
        click.option(
            "--user",
            default="",
            metavar="NAME",
            help="Ask for this account's password (or take MANAGEOUT_PASSWORD); else the Kerberos ticket.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def backups_option(command: Decorated) -> Decorated:
    """Where what was there before is kept."""
    return click.option(
        "--backups",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("gpo-backups"),
        show_default=True,
        help="Folder in which what was there before is kept.",
    )(command)


def off_option(command: Decorated) -> Decorated:
    """The policies turned off."""
    return click.option("--off", is_flag=True, help="With --publish: the same policies, turned off.")(command)


@click.command("status")
@config_option
@directory_options
@click.option("--off", is_flag=True, help="They should be turned off, as `gpo --publish --off` did.")
def rollout_status(file: Path, server: str, user: str, off: bool) -> None:
    """What differs between Active Directory and the site file; exit status 1 when anything does."""
    from manageout.rollout import publish as gpo_publish

    name, wanted = policies(file, on=not off)
    lines = gpo_publish.compare(domain(name, server, user), wanted)
    _show(lines)
    if lines:
        raise click.exceptions.Exit(DRIFT)
    click.echo(
        f"as the site file says{', turned off' * off}: {counted(len(wanted), 'policy', 'policies')} in {name}"
    )


@click.command("undo")
@config_option
@directory_options
@backups_option
def rollout_undo(file: Path, server: str, user: str, backups: Path) -> None:
    """Restore in Active Directory what was there before the last `rollout gpo --publish`."""
    from manageout.errors import ConfigError, Fault
    from manageout.rollout import publish as gpo_publish
    from manageout.site.contradictions import read_site

    site = read_site(file)[0]
    name = site.site.domain
    if not name:
        fault = Fault("site.domain", "is required for policies", 'for example domain = "corp.example"')
        raise ConfigError("site file", [fault])
    for line in gpo_publish.undo(domain(name, server, user), backups, click.echo):
        click.echo(f"changed since it was published, kept in {backups}: {line}")
    click.echo(f"{name} is as it was before")
    _after_name_rules(site)


def publish(file: Path, target: tuple[str, str], backups: Path, *, dry_run: bool, on: bool) -> None:
    """For ``rollout gpo``; ``target``: server and user; ``on``: not turned off."""
    from manageout.rollout import publish as gpo_publish
    from manageout.site.contradictions import read_site

    name, wanted = policies(file, on=on)
    where = domain(name, *target)
    if dry_run:
        _show(gpo_publish.compare(where, wanted) or ["nothing differs"])
        return
    backup = gpo_publish.publish(where, wanted, backups, click.echo)
    click.echo(
        f"published; what was there before: {backup}" if backup else "nothing differs, nothing written"
    )
    if not on:
        _after_name_rules(read_site(file)[0])


def _after_name_rules(site: Site) -> None:
    """What a policy cannot do by being taken away."""
    if site.gateway is not None and site.rollout is not None and site.rollout.clients_group:
        words = "on clients an empty list of name rules may stay, which silences those of others: name-rules.ps1 of"
        click.echo(f"{words} `manageout rollout gpo` removes it")


def _show(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(textwrap.fill(line, COLUMNS, subsequent_indent="  ", break_on_hyphens=False))


def policies(file: Path, *, on: bool = True) -> tuple[str, Sequence[Wanted]]:
    """The domain and the policies that the site file asks for, or the same turned off."""
    from datetime import UTC, datetime

    from manageout.rollout import targets as rollout
    from manageout.site.contradictions import read_site
    from manageout.windows import backup as gpo_backup
    from manageout.windows.gpo import Wanted

    site, plan = read_site(file)
    made = datetime.now(UTC).replace(tzinfo=None)
    found = []
    for target in rollout.targets(site, plan, on=on):
        guid = gpo_backup.Backup(target.policy, site.site.domain, made).policy_guid
        content = gpo_backup.registry_file(target.policy)
        policy = target.policy
        found.append(Wanted(guid, policy.name, policy.extensions, content, target.group, target.unit))
    return site.site.domain, found


def domain(name: str, server: str, user: str) -> Domain:
    """The domain, after asking for the password if ``user`` is named."""
    from manageout.directory.ad.domain import Domain

    password = ""
    if user:
        password = os.environ.get("MANAGEOUT_PASSWORD") or click.prompt(
            f"Password of {user}", hide_input=True, err=True
        )
    return Domain(name, server, user, password)
