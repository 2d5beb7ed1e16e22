"""``manageout doctor --live`` and ``--save``: this Linux machine instead of somebody's evidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from manageout.cli.run import DEFAULT_CONFIG
from manageout.errors import ConfigError, ManageoutError
from manageout.service.process import client

if TYPE_CHECKING:
    from collections.abc import Callable

    from manageout.doctor.diagnosis import Diagnosis
    from manageout.doctor.facts import Facts
    from manageout.doctor.look.live import LiveScope
    from manageout.site.plan import Plan
    from manageout.site.tables.site import Site


def look_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--config``, ``--runtime-dir`` and ``--server`` of whatever looks at this machine."""
    path = click.Path(path_type=Path)
    usual = f"{DEFAULT_CONFIG}, else the running daemon's"
    for option in (
        click.option(
            "--server",
            "servers",
            multiple=True,
            metavar="ADDRESS",
            help="Name server to ask, instead of the usual ones. Repeatable.",
        ),
        click.option(
            "--runtime-dir",
            type=path,
            envvar="MANAGEOUT_RUNTIME_DIR",
            help="Directory of the control socket. [as in the site file]",
        ),
        click.option(
            "--config", "-c", "file", type=path, envvar="MANAGEOUT_CONFIG", help=f"The site file. [{usual}]"
        ),
    ):
        function = option(function)
    return function


def wanted(
    file: Path | None,
    runtime_dir: Path | None,
    servers: tuple[str, ...],
    router: str,
    gateways: tuple[str, ...],
    authorities: Path | None,
) -> LiveScope:
    """What to look at; a site file with faults is one of the things to find."""
    from manageout.doctor.look.live import LiveScope

    valid_router(router)
    faults: tuple[str, ...] = ()
    site = plan = None
    directory = runtime_dir or Path(client.DEFAULT_RUNTIME_DIR)

    def ask(command: str) -> Any:
        return client.ask(directory / "control.sock", command)

    try:
        site, plan = site_of(file or default_file(ask))
        directory = runtime_dir or (site.daemon.runtime_dir if site else directory)
    except ConfigError as error:
        faults = tuple(f"{error.source}: {fault.path}: {fault.message}" for fault in error.faults)
    return LiveScope(ask, site, plan, faults, servers, router, gateways, authorities, directory)


def site_of(file: Path | None) -> tuple[Site | None, Plan | None]:
    """The site file that was named, else the usual one if it is there. Raises :class:`ConfigError`."""
    from manageout.site.contradictions import read_site

    if file is None and not Path(DEFAULT_CONFIG).exists():
        return None, None
    return read_site(file or Path(DEFAULT_CONFIG))


def default_file(ask: Callable[[str], Any]) -> Path | None:
    """The usual site file if it is there, else the one by which the daemon runs, if we may read it."""
    if Path(DEFAULT_CONFIG).exists():
        return Path(DEFAULT_CONFIG)
    try:
        named = ask("status").get("config") or {}
        path = Path(named["file"]) if "file" in named else None
        return path if path is not None and path.exists() else None
    except (ManageoutError, OSError):
        return None


def look(what: LiveScope) -> Facts:
    """This machine as evidence."""
    from manageout.doctor.facts import Facts
    from manageout.doctor.look import live

    found = live.look(what)
    return Facts("(live)", computer=found.host, live=found, understood=True)


def save(path: Path, what: LiveScope, machine: Facts, found: list[Diagnosis], file: Path | None) -> None:
    """The archive for somebody else."""
    from manageout.doctor.look import support_bundle

    assert machine.live is not None
    support_bundle.save(path, what, machine.live, found, file or Path(DEFAULT_CONFIG))


def valid_server(text: str) -> str:
    """A name server as in the site file. Raises :class:`ManageoutError`."""
    from manageout.wire.host_port import HostPort

    try:
        HostPort.parse(text, 53)
    except ValueError:
        raise ManageoutError(f"{text!r} is no address of a name server", "for example 10.0.0.10") from None
    return text


def valid_router(text: str) -> str:
    """A DNS name or an IPv4 address. Raises :class:`ManageoutError`."""
    import dns.exception
    import dns.name

    try:
        if ":" in text or (text and not dns.name.from_text(text).labels[0]):
            raise ValueError
    except (dns.exception.DNSException, ValueError, UnicodeError):
        hint = "for example manageout-isatap.corp.example, or 10.0.0.1"
        raise ManageoutError(f"{text!r} is neither a name nor an IPv4 address", hint) from None
    return text
