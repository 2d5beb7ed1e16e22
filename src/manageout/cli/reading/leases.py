"""``manageout leases``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from manageout.cli.show.fitted import fitted
from manageout.cli.show.options import PATH, json_option, socket_option, watch_option, wide_option
from manageout.cli.show.output import ago, duration, moment, repeated
from manageout.errors import DaemonUnreachable, ManageoutError
from manageout.service.process import client
from manageout.service.process.rows import LeasePeriod, LeaseRow
from manageout.service.state import lease_file

DEFAULT_STATE_DIR = "/var/lib/manageout"


def render(leases: list[LeaseRow], wide: bool = False) -> str:
    """The table of leases."""
    if not leases:
        return "No client has, or lately had, an IPv4 address."
    headings = ("NAME", "IPV4", "STATE", "SINCE", "ENDS IN", "IPV6", "FROM", "BY")
    rows = [
        (
            row["name"],
            (row["ipv4"] or "-") + ("*" if row.get("fixed") else ""),
            row["state"],
            ago(row.get("since")),
            _left(row.get("until")),
            row.get("address") or "-",
            row.get("peer") or "-",
            row.get("transport") or "-",
        )
        for row in leases
    ]
    note = "\n* fixed in the site file" if any(row.get("fixed") for row in leases) else ""
    return fitted(headings, rows, right=(3, 4), spare=("BY", "FROM", "IPV6"), wide=wide) + note


def render_audit(periods: list[LeasePeriod], wide: bool = False) -> str:
    """The table of the audit log."""
    if not periods:
        return "No client has ever had an IPv4 address."
    headings = ("FROM", "UNTIL", "IPV4", "NAME", "IPV6", "PEER", "BY", "ENDED")
    rows = [
        (
            moment(row["since"]),
            moment(row["until"]) if row["until"] else "now",
            row["ipv4"],
            row["name"],
            row["address"] or "-",
            row["peer"],
            row["transport"],
            row["ended"] or "-",
        )
        for row in periods
    ]
    return fitted(headings, rows, spare=("BY", "ENDED", "IPV6", "PEER"), wide=wide)


def _left(until: float | None) -> str:
    return duration(max(0.0, until - time.time())) if until else "-"


@click.command()
@socket_option
@click.option("--audit", is_flag=True, help="Who held which address from when to when, the latest first.")
@click.option(
    "--state-dir",
    type=PATH,
    help="Read the file in this directory (daemon.state_dir) instead of asking the daemon: all of the audit log.",
)
@json_option
@watch_option
@wide_option
def leases(
    runtime_dir: Path, audit: bool, state_dir: Path | None, as_json: bool, watch: float | None, wide: bool
) -> None:
    """Intranet IPv4 addresses of remote clients: who has which, since when, and where from.

    held: connected. grace: disconnected, kept for it. quarantine: kept from others. waiting: none
    was left, or the disk refuses to store it.
    Without a daemon it shows what that had stored, and says so. The daemon tells the latest 10,000 entries of
    the audit log; --state-dir reads all.
    """

    def text() -> str:
        rows = read()
        return json.dumps(rows) if as_json else (render_audit if audit else render)(rows, wide)

    def read() -> list[Any]:
        if state_dir is not None:
            return _from_file(state_dir, audit)
        try:
            answer: list[Any] = client.ask(runtime_dir / "control.sock", "audit" if audit else "leases")
        except DaemonUnreachable as error:
            return _without_daemon(error, audit)
        return answer

    repeated(text, as_json, watch)


def _without_daemon(error: DaemonUnreachable, audit: bool) -> list[Any]:
    try:
        found = _from_file(Path(DEFAULT_STATE_DIR), audit)
    except ManageoutError:
        hint = f"{error.hint}; or read the file that it left: --state-dir (daemon.state_dir)"
        raise DaemonUnreachable(error.message, hint) from None
    click.echo(f"manageout: {error.message}; this is what it has stored", err=True)
    return found


def _from_file(directory: Path, audit: bool) -> list[Any]:
    read = lease_file.periods if audit else lease_file.leases
    return list(read(directory))
