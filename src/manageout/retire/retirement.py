"""A retirement as its steps take it: the site, its way out so far, the running router, the record of calls."""

from __future__ import annotations

import os
import pwd
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path

from manageout.errors import ManageoutError
from manageout.retire.watch import BASELINE, Observation
from manageout.service.process import client
from manageout.service.state import usage
from manageout.service.state.retire import Member, RetireStore
from manageout.service.state.retire_phases import EVIDENCE_AGE
from manageout.service.state.usage import UsageFile
from manageout.site.contradictions import read_site
from manageout.site.plan import Plan
from manageout.site.tables.site import Site
from manageout.words import texts

PATIENCE = 5.0
"""Seconds in which a running router takes up who retires; it looks once a second."""


@dataclass(frozen=True)
class Retirement:
    """Of one site, at this moment."""

    site: Site
    plan: Plan
    store: RetireStore
    runtime_dir: Path
    """Of the router's control socket."""
    usage: tuple[Path, ...]
    """Records of calls to be used instead of the one here."""
    force: bool
    by: str
    """Who runs the command."""
    now: float = field(default_factory=time.time)

    @classmethod
    def read(
        cls,
        file: Path,
        by: str = "",
        *,
        state_dir: Path | None = None,
        runtime_dir: Path | None = None,
        usage: tuple[Path, ...] = (),
        force: bool = False,
    ) -> Retirement:
        """By the site file, but for what is given; ``by`` whoever runs this. Raises :class:`ManageoutError`."""
        site, plan = read_site(file)
        store = RetireStore(state_dir or site.daemon.state_dir)
        return cls(site, plan, store, runtime_dir or site.daemon.runtime_dir, usage, force, by or who())

    @property
    def evidence_age(self) -> float:
        """Seconds for which each step must have been observed."""
        return float(self.site.isatap.retire_evidence) if self.site.isatap else EVIDENCE_AGE

    def records(self) -> list[UsageFile]:
        """Of calls: those that are named, or the one here if there is one."""
        here = self.store.path.parent
        if self.usage:
            return [UsageFile(path.parent, path.name) for path in self.usage]
        return [UsageFile(here)] if (here / usage.FILE).exists() else []

    def watched(self, since: float) -> float:
        """For how many seconds since ``since`` all records have watched calls."""
        return min((record.watched(self.now, since) for record in self.records()), default=0.0)

    def look(self) -> tuple[Observation, str]:
        """Everything, and why the router cannot be asked (or nothing)."""
        hosts, drops, fault = [], [], ""
        try:
            hosts = client.ask(self.runtime_dir / "control.sock", "hosts")
            drops = client.ask(self.runtime_dir / "control.sock", "drops")
        except ManageoutError as error:
            fault = error.message
        rows = self.store.found("verdict"), self.store.found(BASELINE)
        calls = [row for record in self.records() for row in record.rows()]
        return Observation(self.store.members(), *rows, hosts, calls, drops), fault

    def taken_up(self, members: Iterable[Member]) -> str:
        """Wait until the running router does as told; a line on what it does instead. Empty: it does."""
        wanted = {member.network for member in members}
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                status = client.ask(self.runtime_dir / "control.sock", "status")
            except ManageoutError as error:
                return texts("manageout.retire", "down", fault=error.message)[0]
            role = status.get("roles", {}).get("isatap")
            if role is None:
                return texts("manageout.retire", "no-role")[0]
            if set(map(IPv4Network, role.get("retiring", ()))) == wanted:
                return ""
            if time.monotonic() >= deadline:
                return texts("manageout.retire", "not-taken-up", seconds=PATIENCE)[0]
            time.sleep(0.1)


def who() -> str:
    """Who runs this command, for the log: ``anna@router``, also behind sudo."""
    name = os.environ.get("SUDO_USER", "")
    if not name:
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"
