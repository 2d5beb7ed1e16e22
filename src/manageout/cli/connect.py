"""``manageout connect``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import click

from manageout.cli.options import options
from manageout.service.iphttps.connect import ConnectOptions, NameWishes, run


@click.command()
@click.argument("url")
@options("connect")
def connect(
    url: str,
    cert: Path | None,
    key: Path | None,
    ca: Path | None,
    proxy: str | None,
    proxy_from_env: bool,
    device: str,
    stock: bool,
    iid: str | None,
    domains: tuple[str, ...],
    servers: tuple[str, ...],
    exempt: tuple[str, ...],
    location_url: str | None,
    resolver: Literal["auto", "resolved", "stub", "off"],
    runtime_dir: Path,
    log_level: str,
) -> None:
    """Be a remote client of the gateway at URL, https://NAME[:PORT]/IPHTTPS.

    Runs in the foreground and connects again when the connection is lost; SIGINT or SIGTERM ends it and removes
    everything that was made.
    """
    if proxy is None and proxy_from_env:
        proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") or None
    names = NameWishes(resolver, domains, servers, exempt, location_url)
    run(ConnectOptions(url, cert, key, ca, proxy, device, runtime_dir, stock, iid, names), log_level)
