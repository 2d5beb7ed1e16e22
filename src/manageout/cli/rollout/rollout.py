"""``manageout rollout``: tell chosen Windows machines, and only them, what they need to know; each with its undo."""

from datetime import UTC, datetime
from pathlib import Path

import click

from manageout.cli.options import options
from manageout.cli.rollout import ad
from manageout.cli.rollout.dns import dns
from manageout.cli.show import files
from manageout.rollout import targets
from manageout.site.contradictions import read_site
from manageout.windows import netsh as batch
from manageout.windows import powershell as scripts
from manageout.words import counted

_UNCONFIRMED = (
    "Rendered from Windows' documentation; not yet confirmed on a Windows machine. Try -WhatIf first."
)


@click.group()
def rollout() -> None:
    """Tell chosen Windows machines about the ISATAP router or the gateway.

    Everything is rendered from the site file, so that policies, DNS name and router never disagree. Most commands
    print or write files, and change nothing. These change something at once: dns (a record in the DNS, --undo takes
    it out), gpo --publish (policies in Active Directory, --dry-run shows the difference) and undo (takes the last
    publishing back).
    """


@rollout.command()
@options("rollout.powershell")
def powershell(
    file: Path, undo: bool, computers: tuple[str, ...], router: str | None, force: bool, output: Path | None
) -> None:
    """A PowerShell script that makes machines ISATAP hosts; --undo restores what it found there."""
    name = _router(file, router, force)
    about = f"{'No longer an' if undo else 'An'} ISATAP host of {name}.\n{_UNCONFIRMED}"
    body = scripts.isatap_off() if undo else scripts.isatap_on(name)
    _write(scripts.script(body, computers, about), output)


@rollout.command()
@options("rollout.netsh")
def netsh(
    file: Path, undo: bool, computers: tuple[str, ...], router: str | None, force: bool, output: Path | None
) -> None:
    """A batch file with netsh that makes machines ISATAP hosts; --undo sets Windows' defaults."""
    name = _router(file, router, force)
    _write(batch.isatap_off(computers) if undo else batch.isatap_on(name, computers), output)


@rollout.command("hosts-file")
@options("rollout.hosts-file")
def hosts_file(
    file: Path,
    undo: bool,
    computers: tuple[str, ...],
    router: str | None,
    force: bool,
    output: Path | None,
    only_lines: bool,
) -> None:
    """A PowerShell script that puts the router's name into HOSTS; --undo takes out its lines and nothing else.

    The name alone changes nothing since Windows 10 1703: ISATAP must be enabled as well (`rollout powershell`).
    """
    name = _router(file, router, force)
    lines = targets.hosts_lines(read_site(file)[0], name)
    if only_lines:
        _write("".join(f"{line}\n" for line in lines), output)
        return
    about = (
        f"{'Takes' if undo else 'Puts'} {name} {'out of' if undo else 'into'} the HOSTS file.\n{_UNCONFIRMED}"
    )
    _write(scripts.script(scripts.hosts_off() if undo else scripts.hosts_on(lines), computers, about), output)


@rollout.command()
@options("rollout.gpo")
@ad.with_controller
def gpo(
    file: Path,
    output: Path,
    publish: bool,
    dry_run: bool,
    off: bool,
    controller: ad.Controller,
    backups: Path,
) -> None:
    """Group policies: a folder for Import-GPO, a script that creates, filters and links them, and a summary.

    The folder gets on/ and off/ (the same turned off) for Import-GPO, publish.ps1, unpublish.ps1 and SUMMARY.md.
    With --publish they are written into Active Directory itself, by python3-samba; with --off too, the same policies
    turn everything off. `rollout undo` restores what was there before.
    """
    if publish:
        ad.publish(file, controller, backups, dry_run=dry_run, on=not off)
        return
    if dry_run or off:
        raise click.UsageError(f"{'--dry-run' if dry_run else '--off'} goes with --publish")
    site, plan = read_site(file)
    rendered = targets.folder(site, plan, datetime.now(UTC).replace(tzinfo=None))
    for name, content in rendered.items():
        files.save(output / name, content)
    for policy, group, unit in targets.targets(site, plan):
        click.echo(f"{policy.name}: {counted(len(policy.values), 'value')}, for {group} in {unit}")
    click.echo(f"\n{counted(len(rendered), 'file')} in {output}; read SUMMARY.md first. {_UNCONFIRMED}")


rollout.add_command(dns)
rollout.add_command(ad.rollout_status)
rollout.add_command(ad.rollout_undo)


@rollout.command("server-reset")
@options("rollout.server-reset")
def server_reset(output: Path | None) -> None:
    """The start-up script for a Windows Server that is kept as ISATAP router and forgets its settings.

    It finds the ISATAP adapter of the internal card by the card's GUID, sets forwarding, advertising and the
    published route, and says what it changed. Register it as a start-up task on each such server.
    """
    _write(scripts.server_reset(), output)


def _router(file: Path, override: str | None, force: bool) -> str:
    name = targets.router_name(read_site(file)[0], override, force=force)
    if name.lower().split(".")[0] == "isatap":
        click.echo(targets.bare_name_consequences(name), err=True)
    return name


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text.replace("\r\n", "\n"), nl=False)
        return
    files.write(output, text.encode() if text.startswith("@echo off") else scripts.encoded(text))
