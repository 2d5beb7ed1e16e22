"""``manageout connect``."""

import os
from dataclasses import replace

import click

from manageout.cli.options import options, taking
from manageout.cli.show.settings import settings_option
from manageout.service.iphttps.connect import ConnectOptions, NameWishes, judge, run


@click.command()
@click.argument("url")
@settings_option
@options("connect")
@taking("names", NameWishes)
@taking("wanted", ConnectOptions)
def connect(wanted: ConnectOptions, proxy_from_env: bool, dry_run: bool, log_level: str) -> None:
    """Be a remote client of the gateway at URL, https://NAME[:PORT]/IPHTTPS.

    Runs in the foreground and connects again when the connection is lost; SIGINT or SIGTERM ends it and removes
    everything that was made.
    """
    if wanted.proxy is None and proxy_from_env:
        wanted = replace(wanted, proxy=os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") or None)
    if dry_run:
        judge(wanted)
    else:
        run(wanted, log_level)
