"""``manageout join``."""

import re
from ipaddress import ip_address
from pathlib import Path

import click

from manageout.cli.options import options
from manageout.cli.show.settings import settings_option
from manageout.errors import ManageoutError
from manageout.service.isatap.join import run


@click.command()
@click.argument("name")
@settings_option
@options("join")
def join(
    name: str,
    device: str,
    runtime_dir: Path,
    no_ebpf: bool,
    metric: int,
    force: bool,
    dry_run: bool,
    log_level: str,
) -> None:
    """Be an ISATAP host: find the routers of NAME (a DNS name or an IPv4 address) and use their prefixes.

    Runs in the foreground; SIGINT or SIGTERM ends it and removes everything that was made.
    """
    if name.lower().rstrip(".").split(".")[0] == "isatap" and not force:
        raise ManageoutError(
            "the name `isatap` is not used: whoever can register it in the DNS becomes everybody's router, and "
            "most DNS servers block it",
            "give the unique name that your site publishes (isatap.name in its site file), or insist with --force",
        )
    if re.fullmatch(r"[0-9.]+|.*:.*", name):
        _want_address(name)
    if dry_run:
        return
    run(name, device, runtime_dir, fast_path=not no_ebpf, metric=metric, log_level=log_level)


def _want_address(text: str) -> None:
    """Digits and dots, or colons, are no name: what is meant must be an IPv4 address that a host can have."""
    try:
        address = ip_address(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not an IPv4 address", param_hint="'NAME'") from None
    if address.version != 4:
        why = "a router of an ISATAP link is reached over IPv4: give its IPv4 address or its name"
        raise click.BadParameter(f"{text} is an IPv6 address; {why}", param_hint="'NAME'")
    if address.is_multicast or address.is_unspecified or address.is_reserved:
        raise click.BadParameter(f"{text} is not the address of a host", param_hint="'NAME'")
