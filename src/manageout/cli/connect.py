"""``manageout connect``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import click

from manageout.cli.show.options import PATH, log_level_option, socket_option
from manageout.service.iphttps.connect import ConnectOptions, NameWishes, run


@click.command()
@click.argument("url")
@click.option("--cert", type=PATH, help="Our certificate (PEM).")
@click.option("--key", type=PATH, help="Its key (PEM); may be in the same file.")
@click.option("--ca", type=PATH, help="Authorities that the gateway's certificate must come from.")
@click.option("--proxy", metavar="URL", help="HTTP proxy, http://[USER:PASSWORD@]HOST:PORT.")
@click.option("--proxy-from-env", is_flag=True, help="Use the proxy that HTTPS_PROXY names.")
@click.option("--device", default="mo-iphttps0", show_default=True, help="Name of the tunnel device.")
@click.option(
    "--stock", is_flag=True, help="Speak like a stock client: no larger framing, and its slow retries."
)
@click.option(
    "--iid", metavar="::A:B:C:D", help="Interface identifier; derived from the certificate if absent."
)
@click.option(
    "--namespace",
    "domains",
    multiple=True,
    metavar="DOMAIN",
    help="Names below it go through the tunnel, besides those that the gateway advertises. Repeatable.",
)
@click.option(
    "--dns",
    "servers",
    multiple=True,
    metavar="ADDRESS",
    help="DNS server of the site; instead of what the gateway advertises. Repeatable.",
)
@click.option(
    "--exempt",
    multiple=True,
    metavar="DOMAIN",
    help="Names below it are resolved locally all the same. Repeatable.",
)
@click.option(
    "--location-url",
    metavar="URL",
    help="https URL that only the intranet answers: if it does, names stay local.",
)
@click.option(
    "--resolver",
    type=click.Choice(["auto", "resolved", "stub", "off"]),
    default="auto",
    show_default=True,
    help="What carries the name policy.",
)
@socket_option
@log_level_option
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
