"""``manageout import``: an existing DirectAccess farm -> a site file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import TypeVar

import click

from manageout.cli.options import options
from manageout.cli.show import files
from manageout.cli.show.findings import item
from manageout.cli.show.options import PATH
from manageout.doctor.read.text import MAX_BYTES, decode
from manageout.errors import ManageoutError
from manageout.imports.farm import Farm, add
from manageout.imports.site import Imported, Wishes, site_of

Value = TypeVar("Value")


@click.command("import")
@click.argument("evidence", nargs=-1, type=PATH)
@options("import")
def import_(
    evidence: tuple[Path, ...],
    locators: tuple[str, ...],
    name: str,
    hosts: tuple[str, ...],
    vias: tuple[str, ...],
    output: Path | None,
) -> None:
    """Write the site file of an ISATAP router in front of an existing DirectAccess farm.

    EVIDENCE is what the collector (`manageout doctor --collector`) wrote on each server, or saved text of
    Get-RemoteAccess or Get-DAServer, and with it, if you like, of Get-DnsClientNrptPolicy,
    Get-DAClientDnsConfiguration, Get-NetIsatapConfiguration, Get-NetDnsTransitionConfiguration and
    Get-NetNatTransitionConfiguration; without any, paste it, then press Ctrl-D. What was taken, what is left to do
    and what was not understood is said on standard error.
    """
    wishes = Wishes(
        tuple(_typed(IPv4Address, text, "--locator") for text in locators),
        name,
        tuple(_typed(IPv4Network, text, "--host") for text in hosts),
        dict(_via(text) for text in vias),
    )
    made = site_of(_farm(evidence), wishes)
    if output is None:
        click.echo(made.text, nl=False)
    else:
        if output.exists():
            raise ManageoutError(f"{output} is there already", "choose another --output, or remove it")
        files.write(output, made.text.encode())
    _report(made)


def _farm(evidence: tuple[Path, ...]) -> Farm:
    farm = Farm()
    if evidence in ((), (Path("-"),)):
        evidence = ()
        if sys.stdin.isatty():
            click.echo("Paste the output of Get-RemoteAccess, then press Ctrl-D:", err=True)
        add(farm, "(pasted)", decode(sys.stdin.buffer.read(MAX_BYTES)))
    for path in evidence:
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            hint = "check the name, and who may read it"
            raise ManageoutError(f"{path}: {error.strerror}", hint) from None
        if len(data) > MAX_BYTES:
            raise ManageoutError(f"{path}: more than {MAX_BYTES >> 20} MB", "give one file of one server")
        add(farm, path.name, decode(data))
    return farm


def _via(text: str) -> tuple[str, IPv6Address]:
    key, sign, address = text.rpartition("=")
    if not sign or not key:
        raise click.BadParameter(f"{text!r} is not SERVER=IPV6 or PREFIX=IPV6", param_hint="--via")
    via = _typed(IPv6Address, address, "--via")
    return (str(_typed(IPv6Network, key, "--via")) if "/" in key else key.lower()), via


def _typed(kind: Callable[[str], Value], text: str, option: str) -> Value:
    try:
        return kind(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: {error}", param_hint=option) from None


def _report(made: Imported) -> None:
    for title, lines in (("Taken", made.taken), ("Left to do", made.left), ("Not understood", made.unread)):
        if lines:
            click.secho(f"\n{title}", bold=True, err=True)
        for line in lines:
            click.echo(item(line), err=True)
