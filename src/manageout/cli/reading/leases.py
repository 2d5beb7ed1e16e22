"""``manageout leases``."""

import json
import time
from pathlib import Path
from typing import Any

import click

from manageout.cli.show.options import PATH, json_option, socket_option, watch_option, wide_option
from manageout.cli.show.output import ago, duration, moment, repeated
from manageout.cli.show.table import Column, table
from manageout.errors import DaemonUnreachable, ManageoutError
from manageout.service.process import client
from manageout.service.process.rows import LeasePeriod, LeaseRow

DEFAULT_STATE_DIR = "/var/lib/manageout"


HELD: tuple[Column[LeaseRow], ...] = (
    Column("NAME", lambda row: row["name"]),
    Column("IPV4", lambda row: (row["ipv4"] or "-") + "*" * row["fixed"]),
    Column("STATE", lambda row: row["state"]),
    Column("SINCE", lambda row: ago(row["since"]), right=True),
    Column("ENDS IN", lambda row: _left(row["until"]), right=True),
    Column("IPV6", lambda row: row["address"], spare=3),
    Column("FROM", lambda row: row["peer"], spare=2),
    Column("BY", lambda row: row["transport"], spare=1),
)
AUDIT: tuple[Column[LeasePeriod], ...] = (
    Column("FROM", lambda row: moment(row["since"])),
    Column("UNTIL", lambda row: moment(row["until"]) if row["until"] else "now"),
    Column("IPV4", lambda row: row["ipv4"]),
    Column("NAME", lambda row: row["name"]),
    Column("IPV6", lambda row: row["address"], spare=3),
    Column("PEER", lambda row: row["peer"], spare=4),
    Column("BY", lambda row: row["transport"], spare=1),
    Column("ENDED", lambda row: row["ended"], spare=2),
)


def render(leases: list[LeaseRow], wide: bool = False) -> str:
    """The table of leases."""
    if not leases:
        return "No client has, or lately had, an IPv4 address."
    note = "\n* fixed in the site file" if any(row["fixed"] for row in leases) else ""
    return table(HELD, leases, wide=wide) + note


def render_audit(periods: list[LeasePeriod], wide: bool = False) -> str:
    """The table of the audit log."""
    return table(AUDIT, periods, wide=wide) if periods else "No client has ever had an IPv4 address."


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
            return list(client.ask(runtime_dir / "control.sock", "audit" if audit else "leases"))
        except DaemonUnreachable as error:
            return _without_daemon(error, audit)

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
    # Which needs SQLite, and where the daemon answers nobody does.
    from manageout.service.state.leases import stored_leases, stored_periods

    return list(stored_periods(directory) if audit else stored_leases(directory))
