"""``manageout import``: an existing DirectAccess farm -> a site file."""

import sys
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path

import click

from manageout.cli.options import PREFIX, options, reader, taking
from manageout.cli.show import files
from manageout.cli.show.findings import item
from manageout.cli.show.options import PATH
from manageout.doctor.read.text import MAX_BYTES, decode
from manageout.errors import ManageoutError
from manageout.imports.farm import Farm, add
from manageout.imports.site import Imported, Wishes, site_of
from manageout.service.process.files import read_bounded


def _wishes(
    locators: tuple[IPv4Address, ...],
    name: str,
    hosts: tuple[IPv4Network, ...],
    vias: tuple[tuple[str, IPv6Address], ...],
) -> Wishes:
    return Wishes(locators, name, hosts, dict(vias))


def _via(text: str) -> tuple[str, IPv6Address]:
    key, sign, address = text.rpartition("=")
    if not sign or not key:
        raise click.BadParameter(f"{text!r} is not SERVER=IPV6 or PREFIX=IPV6")
    via = reader(IPv6Address, "an IPv6 address")(address)
    return (str(PREFIX(key)) if "/" in key else key.lower()), via


@click.command("import")
@click.argument("evidence", nargs=-1, type=PATH)
@options("import", via=_via)
@taking("wishes", _wishes)
def import_(evidence: tuple[Path, ...], wishes: Wishes, output: Path | None) -> None:
    """Write the site file of an ISATAP router in front of an existing DirectAccess farm.

    EVIDENCE is what the collector (`manageout doctor --collector`) wrote on each server, or saved text of
    Get-RemoteAccess or Get-DAServer, and with it, if you like, of Get-DnsClientNrptPolicy,
    Get-DAClientDnsConfiguration, Get-NetIsatapConfiguration, Get-NetDnsTransitionConfiguration and
    Get-NetNatTransitionConfiguration; without any, paste it, then press Ctrl-D. What was taken, what is left to do
    and what was not understood is said on standard error.
    """
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
        hints = ("check the name, and who may read it", "give one file of one server")
        add(farm, path.name, decode(read_bounded(path, MAX_BYTES, *hints)))
    return farm


def _report(made: Imported) -> None:
    for title, lines in (("Taken", made.taken), ("Left to do", made.left), ("Not understood", made.unread)):
        if lines:
            click.secho(f"\n{title}", bold=True, err=True)
        for line in lines:
            click.echo(item(line), err=True)
