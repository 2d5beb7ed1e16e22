"""What the commands that follow a retirement look at: the running router, the record of calls, the store."""

from __future__ import annotations

import time
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from manageout.errors import DaemonUnreachable, ManageoutError
from manageout.service.process import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from manageout.retire.watch import Seen
    from manageout.service.state.retire import Member, RetireStore
    from manageout.service.state.usage_file import UsageFile

    Decorated = TypeVar("Decorated", bound=Callable[..., Any])

PATIENCE = 5.0
"""Seconds in which a running router takes up who retires; it looks once a second."""


def usage_option(command: Decorated) -> Decorated:
    """``--usage``."""
    return click.option(
        "--usage",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        help="Use this record of calls (usage.db of the gateway, or of each router) instead; repeatable.",
    )(command)


def runtime_dir_option(command: Decorated) -> Decorated:
    """``--runtime-dir``."""
    return click.option(
        "--runtime-dir",
        type=click.Path(path_type=Path),
        envvar="MANAGEOUT_RUNTIME_DIR",
        help="Directory of the router's control socket; daemon.runtime_dir of the site file when left out.",
    )(command)


def records(store: RetireStore, given: Sequence[Path]) -> list[UsageFile]:
    """Those that are ``given``, or the one here if there is one."""
    from manageout.service.state.usage_file import FILE, UsageFile

    here = store.path.parent
    if given:
        return [UsageFile(path.parent, path.name) for path in given]
    return [UsageFile(here)] if (here / FILE).exists() else []


def watched(kept: Sequence[UsageFile], now: float, since: float) -> float:
    """For how many seconds since ``since`` all of them have watched calls."""
    return min((record.watched(now, since) for record in kept), default=0.0)


def look(store: RetireStore, runtime_dir: Path, usage: Sequence[Path]) -> tuple[Seen, str]:
    """Everything, and why the router cannot be asked (or nothing)."""
    from manageout.retire.watch import BASELINE, Seen

    hosts, drops, fault = [], [], ""
    try:
        hosts = client.ask(runtime_dir / "control.sock", "hosts")
        drops = client.ask(runtime_dir / "control.sock", "drops")
    except (DaemonUnreachable, ManageoutError) as error:
        fault = error.message
    rows = store.found("verdict"), store.found(BASELINE)
    calls = [row for record in records(store, usage) for row in record.rows()]
    return Seen(store.members(), *rows, hosts, calls, drops), fault


def taken(runtime_dir: Path, members: Iterable[Member]) -> str:
    """Wait until the running router does as told; a line on what it does. Empty: it does."""
    wanted = {member.network for member in members}
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            status = client.ask(runtime_dir / "control.sock", "status")
        except ManageoutError as error:
            return f"{error.message}: the router takes it up when it starts"
        role = status.get("roles", {}).get("isatap")
        if role is None:
            return "the daemon here is no ISATAP router: run this on the router"
        texts = str(role.get("retiring", "")).split(", ")
        if {IPv4Network(text) for text in texts if text} == wanted:
            return ""
        if time.monotonic() >= deadline:
            return f"the router has not taken it up in {PATIENCE:.0f} s: see `manageout status` and its log"
        time.sleep(0.1)
