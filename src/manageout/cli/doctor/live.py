"""``manageout doctor --live`` and ``--save``: this Linux machine instead of somebody's evidence."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import dns.exception
import dns.name

from manageout.cli.options import taking
from manageout.cli.show.options import DEFAULT_CONFIG
from manageout.doctor.diagnosis import Diagnosis
from manageout.doctor.facts import Facts
from manageout.doctor.look import live, support_bundle
from manageout.errors import ConfigError, ManageoutError
from manageout.service.process import client
from manageout.site.contradictions import read_site
from manageout.site.plan import Plan
from manageout.site.tables.site import Site
from manageout.wire.host_port import HostPort


@dataclass
class ThisMachine:
    """Where its site file and its control socket are, if anywhere, and which name servers to ask."""

    file: Path | None
    runtime_dir: Path | None
    servers: tuple[str, ...]

    def __post_init__(self) -> None:
        self.directory = self.runtime_dir or Path(client.DEFAULT_RUNTIME_DIR)
        for server in self.servers:
            valid_server(server)

    def ask(self, command: str) -> Any:
        """The running process. Raises :class:`ManageoutError`."""
        return client.ask(self.directory / "control.sock", command)

    def site(self) -> tuple[Site | None, Plan | None]:
        """The site file that was named, else the usual one, else the daemon's; none if there is none.

        Raises :class:`ConfigError`. From then on the socket is where the file says.
        """
        file = self.file or self._usual_file()
        if file is None:
            return None, None
        site, plan = read_site(file)
        self.directory = self.runtime_dir or site.daemon.runtime_dir
        return site, plan

    def _usual_file(self) -> Path | None:
        """The usual site file if it is there, else the one by which the daemon runs, if we may read it."""
        if Path(DEFAULT_CONFIG).exists():
            return Path(DEFAULT_CONFIG)
        with suppress(ManageoutError, OSError):
            named = self.ask("status").get("config") or {}
            if "file" in named and Path(named["file"]).exists():
                return Path(named["file"])
        return None


with_machine = taking("machine", ThisMachine)


def wanted(
    machine: ThisMachine, router: str, gateways: tuple[str, ...], authorities: Path | None
) -> live.LiveScope:
    """What to look at; a site file with faults is one of the things to find."""
    valid_router(router)
    scope = live.LiveScope(
        ask=machine.ask, servers=machine.servers, router=router, gateways=gateways, authorities=authorities
    )
    try:
        site, plan = machine.site()
        scope = replace(scope, site=site, plan=plan)
    except ConfigError as error:
        faults = tuple(f"{error.source}: {fault.path}: {fault.message}" for fault in error.faults)
        scope = replace(scope, faults=faults)
    return replace(scope, runtime_dir=machine.directory)


def look(what: live.LiveScope) -> Facts:
    """This machine as evidence."""
    found = live.look(what)
    return Facts("(live)", computer=found.host, live=found, understood=True)


def save(path: Path, what: live.LiveScope, machine: Facts, found: list[Diagnosis], file: Path | None) -> None:
    """The archive for somebody else."""
    assert machine.live is not None
    support_bundle.save(path, what, machine.live, found, file or Path(DEFAULT_CONFIG))
    click.echo(f"saved {path}: secrets are removed, names and addresses are not", err=True)


def valid_server(text: str) -> None:
    """A name server as in the site file. Raises :class:`ManageoutError`."""
    try:
        HostPort.parse(text, 53)
    except ValueError:
        raise ManageoutError(f"{text!r} is no address of a name server", "for example 10.0.0.10") from None


def valid_router(text: str) -> None:
    """A DNS name or an IPv4 address. Raises :class:`ManageoutError`."""
    try:
        if ":" in text or (text and not dns.name.from_text(text).labels[0]):
            raise ValueError
    except (dns.exception.DNSException, ValueError, UnicodeError):
        hint = "for example manageout-isatap.corp.example, or 10.0.0.1"
        raise ManageoutError(f"{text!r} is neither a name nor an IPv4 address", hint) from None
