"""``manageout rollout``: tell chosen Windows machines, and only them, what they need to know; each with its undo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from manageout.cli.rollout.ad import (
    backups_option,
    directory_options,
    off_option,
    rollout_status,
    rollout_undo,
)
from manageout.cli.rollout.dns import dns
from manageout.cli.run import config_option
from manageout.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from manageout.site.tables.site import Site

    Decorated = TypeVar("Decorated", bound=Callable[..., Any])

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


rollout.add_command(dns)


def _machines(command: Decorated) -> Decorated:
    options = [
        click.option("--undo", is_flag=True, help="The inverse instead."),
        click.option(
            "--computer", "computers", multiple=True, metavar="NAME", help="For this machine; repeatable."
        ),
        click.option("--router", metavar="NAME", help="Instead of isatap.name."),
        click.option("--force", is_flag=True, help="Also for the bare name isatap."),
        click.option(
            "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="A file, not the screen."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@rollout.command()
@config_option
@_machines
def powershell(
    file: Path, undo: bool, computers: tuple[str, ...], router: str | None, force: bool, output: Path | None
) -> None:
    """A PowerShell script that makes machines ISATAP hosts; --undo restores what it found there."""
    from manageout.windows import powershell as scripts

    name = _router(file, router, force)
    about = f"{'No longer an' if undo else 'An'} ISATAP host of {name}.\n{_UNCONFIRMED}"
    body = scripts.isatap_off() if undo else scripts.isatap_on(name)
    _write(scripts.script(body, computers, about), output)


@rollout.command()
@config_option
@_machines
def netsh(
    file: Path, undo: bool, computers: tuple[str, ...], router: str | None, force: bool, output: Path | None
) -> None:
    """A batch file with netsh that makes machines ISATAP hosts; --undo sets Windows' defaults."""
    from manageout.windows import netsh as scripts

    name = _router(file, router, force)
    _write(scripts.isatap_off(computers) if undo else scripts.isatap_on(name, computers), output)


@rollout.command("hosts-file")
@config_option
@_machines
@click.option("--lines", "only_lines", is_flag=True, help="Only the lines, no script.")
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
    from manageout.rollout.targets import hosts_lines
    from manageout.windows import powershell as scripts

    name = _router(file, router, force)
    lines = hosts_lines(_site(file), name)
    if only_lines:
        _write("".join(f"{line}\n" for line in lines), output)
        return
    about = (
        f"{'Takes' if undo else 'Puts'} {name} {'out of' if undo else 'into'} the HOSTS file.\n{_UNCONFIRMED}"
    )
    _write(scripts.script(scripts.hosts_off() if undo else scripts.hosts_on(lines), computers, about), output)


@rollout.command()
@config_option
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("gpo"),
    show_default=True,
    help="Folder; files of an earlier rendering in it are replaced.",
)
@click.option("--publish", "into_directory", is_flag=True, help="Write them into Active Directory instead.")
@click.option("--dry-run", is_flag=True, help="With --publish: only show what differs.")
@off_option
@directory_options
@backups_option
def gpo(
    file: Path,
    output: Path,
    into_directory: bool,
    dry_run: bool,
    off: bool,
    server: str,
    user: str,
    backups: Path,
) -> None:
    """Group policies: a folder for Import-GPO, a script that creates, filters and links them, and a summary.

    The folder gets on/ and off/ (the same turned off) for Import-GPO, publish.ps1, unpublish.ps1 and SUMMARY.md.
    With --publish they are written into Active Directory itself, by python3-samba; with --off too, the same policies
    turn everything off. `rollout undo` restores what was there before.
    """
    if into_directory:
        from manageout.cli.rollout.ad import publish

        publish(file, (server, user), backups, dry_run=dry_run, on=not off)
        return
    if dry_run or off:
        raise click.UsageError(f"{'--dry-run' if dry_run else '--off'} goes with --publish")
    from datetime import UTC, datetime

    from manageout.rollout import targets as rollout
    from manageout.site.contradictions import read_site
    from manageout.windows import backup as gpo_backup
    from manageout.windows import powershell

    site, plan = read_site(file)
    wanted = rollout.targets(site, plan)
    made = datetime.now(UTC).replace(tzinfo=None)
    files = {"SUMMARY.md": rollout.summary(wanted, plan.site).encode()}
    files["publish.ps1"] = _windows_text(powershell.domain(wanted, site.site.domain))
    files["unpublish.ps1"] = _windows_text(powershell.domain_undo(wanted, site.site.domain))
    if site.gateway is not None:
        files["name-rules.ps1"] = _windows_text(powershell.name_rules())
    for folder, targets in (("on", wanted), ("off", rollout.targets(site, plan, on=False))):
        rendered = gpo_backup.render([target.policy for target in targets], site.site.domain, made)
        files |= {f"{folder}/{name}": content for name, content in rendered.items()}
    for name, content in files.items():
        _save(output / name, content)
    for target in wanted:
        click.echo(
            f"{target.policy.name}: {counted(len(target.policy.values), 'value')}, for {target.group} in {target.unit}"
        )
    click.echo(f"\n{counted(len(files), 'file')} in {output}; read SUMMARY.md first. {_UNCONFIRMED}")


rollout.add_command(rollout_status)
rollout.add_command(rollout_undo)


@rollout.command("server-reset")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="A file, not the screen."
)
def server_reset(output: Path | None) -> None:
    """The start-up script for a Windows Server that is kept as ISATAP router and forgets its settings.

    It finds the ISATAP adapter of the internal card by the card's GUID, sets forwarding, advertising and the
    published route, and says what it changed. Register it as a start-up task on each such server.
    """
    from manageout.windows.powershell import server_reset as text

    _write(text(), output)


def _site(file: Path) -> Site:
    from manageout.site.contradictions import read_site

    return read_site(file)[0]


def _router(file: Path, override: str | None, force: bool) -> str:
    from manageout.rollout import targets as rollout

    name = rollout.router_name(_site(file), override, force=force)
    if name.lower().split(".")[0] == "isatap":
        click.echo("\n".join(rollout.bare_name_consequences(name)), err=True)
    return name


def _windows_text(text: str) -> bytes:
    """UTF-8 with a byte order mark, without which Windows PowerShell reads the OEM code page."""
    return b"\xef\xbb\xbf" + text.replace("\r\n", "\n").replace("\n", "\r\n").encode()


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text.replace("\r\n", "\n"), nl=False)
        return
    _save(output, text.encode() if text.startswith("@echo off") else _windows_text(text))
    click.echo(f"{output} is written")


def _save(path: Path, content: bytes) -> None:
    from manageout.errors import ManageoutError
    from manageout.service.process.files import replace_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ManageoutError(f"{path.parent}: {error.strerror}", "choose another --output") from None
    replace_file(path, content, 0o644)
