"""``manageout plan``."""

import json
from ipaddress import IPv4Address
from pathlib import Path

import click

from manageout.cli.options import options
from manageout.site import advice
from manageout.site.contradictions import read_site
from manageout.wire.address import sixtofour_prefix
from manageout.wire.special import is_global


@click.command()
@options("plan")
def plan(file: Path, as_json: bool, new: bool, public: str | None) -> None:
    """Addresses, routes, DNS names, firewall rules and Windows settings that follow from the site file.

    Reads the file only: nothing is changed and no name is resolved.
    """
    if new or public:
        prefix = sixtofour_prefix(_address(public)) if public else advice.new_prefix()
        click.echo(json.dumps({"prefix": str(prefix)}) if as_json else f'[site]\nprefix = "{prefix}"')
        return
    sections = advice.advice(*read_site(file))
    if as_json:
        click.echo(json.dumps([section._asdict() for section in sections], indent=2))
        return
    width = max(len(label) for section in sections for label, _ in section.lines)
    for section in sections:
        click.secho(section.title, bold=True)
        for label, value in section.lines:
            click.echo(f"  {label:<{width}}  {value}")
        click.echo()


def _address(text: str) -> IPv4Address:
    try:
        address = IPv4Address(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not an IPv4 address", param_hint="--public") from None
    if not is_global(address.packed):
        raise click.BadParameter(f"{address} is not public; use --new", param_hint="--public")
    return address
