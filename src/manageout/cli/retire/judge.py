"""``manageout retire judge`` and ``status``."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from manageout.cli.retire.options import force_option, retirement_options, usage_option
from manageout.cli.show.fitted import fitted, listed, short
from manageout.cli.show.options import FILE, json_option
from manageout.cli.show.output import ago, duration, moment, table
from manageout.retire.judge import HostVerdicts, LeaseGateway, caveats
from manageout.retire.judge import judge as judged
from manageout.retire.retirement import Retirement
from manageout.retire.rows import HostVerdict, services
from manageout.service.state.retire import LoggedStep
from manageout.service.state.retire_phases import HINTS, RetireStep, next_phase, require_age
from manageout.service.state.usage_file import UsageFile
from manageout.site.contradictions import read_site

DAY = 86400
FINDING = 1
"""Exit code of ``judge`` when somebody would be served by nothing."""
SERVICES, LINES = 2, 5


@click.command()
@retirement_options(force_option, usage_option)
@click.option(
    "--gateway",
    type=FILE,
    help="The site file of the gateway that gives leases, where that is another machine.",
)
@click.option(
    "--days", type=click.FloatRange(min=0.01), default=30, show_default=True, help="Look back so far."
)
@json_option
def judge(retirement: Retirement, gateway: Path | None, days: float, as_json: bool) -> None:
    """Who really calls clients by ISATAP, who only holds an address, and what will serve the former instead.

    Judged from the last census and from the daemon's record of calls (daemon.usage_days). Where there are several
    routers, the gateway's record has all calls, with the clients' names: --usage. Exit status 1 when somebody would be
    left with nothing; what stands in the way is named.
    """
    now = retirement.now
    found, since = _judged(retirement, gateway, now - days * DAY)
    if as_json:
        answer = {"at": now, "watched": now - since, "figures": found.figures, "blockers": found.blockers}
        click.echo(json.dumps(answer | {"verdicts": list(found.verdicts.values())}))
    else:
        click.echo(render(found, now - since, now))
    if found.figures["served by nothing yet"]:
        raise click.exceptions.Exit(FINDING)


def _judged(retirement: Retirement, gateway: Path | None, after: float) -> tuple[HostVerdicts, float]:
    """Judge by calls since ``after`` and record it; also from when on calls were watched."""
    site, store, now = retirement.site, retirement.store, retirement.now
    phase = next_phase(store.phase(), RetireStep.JUDGE)
    records = retirement.records() or [UsageFile(store.path.parent)]
    since = now - min(record.watched(now) for record in records)
    forced = require_age(RetireStep.JUDGE, since, now, retirement.evidence_age, retirement.force)
    served = LeaseGateway(*read_site(gateway)) if gateway else LeaseGateway(site, retirement.plan)
    calls = (row for record in records for row in record.rows())
    found = judged(store.found("host"), calls, served, after)
    found.blockers += caveats(site)
    rows: dict[str, Mapping[str, Mapping[str, object]]] = {
        "verdict": found.verdicts,
        "blocker": {f"{n:03}": {"what": what} for n, what in enumerate(found.blockers)},
    }
    store.record(
        RetireStep.JUDGE,
        phase,
        now,
        retirement.by,
        since=since,
        forced=forced,
        figures=found.figures,
        found=rows,
    )
    return found, since


def render(found: HostVerdicts, watched: float, now: float) -> str:
    """Figures, who calls whom, and what stands in the way."""
    figures = found.figures
    then = (
        f"{figures['served by native IPv6']} will be served by native IPv6, {figures['served by a lease']} by a lease, "
        f"{figures['served by nothing yet']} by nothing yet"
    )
    parts = [
        f"Calls were watched for {duration(watched)}. Of the hosts\n"
        f"  {figures['initiate']:5} call clients by ISATAP: {then}\n"
        f"  {figures['only hold an address']:5} only hold an address\n"
        f"  {figures['gone']:5} are gone"
    ]
    callers = [row for row in found.verdicts.values() if row["class"] == "initiates"]
    if callers:
        callers.sort(key=lambda row: -row["calls"])
        headings = ("HOST", "NAME", "CALLS", "LAST", "OPENS", "CLIENTS", "THEN BY")
        parts.append(table(headings, [_caller(row, now) for row in callers], right=(2, 3, 5)))
    obstacles = [
        line for row in callers if row["serves"] == "nothing" for line in _obstacles(row, found.blockers)
    ]
    if found.blockers or obstacles:
        parts.append(listed("In the way:", [*found.blockers, *obstacles]))
    return "\n\n".join(parts)


def _caller(row: HostVerdict, now: float) -> tuple[str, ...]:
    opened = services(row["opens"])
    more = f" +{len(opened) - SERVICES}" if len(opened) > SERVICES else ""
    already = sum(row["already"].values())
    then = {"nothing": "nothing yet", "native": "native IPv6"}.get(row["serves"], row["serves"])
    clients = {each["client"] for each in row["opens"]}
    return (
        row["ipv4"],
        short(row["name"] or "-", 20),
        str(row["calls"]),
        ago(row["last_call"], now),
        " ".join(opened[:SERVICES]) + more,
        str(len(clients)),
        then + (f" ({already} calls so)" if already else ""),
    )


def _obstacles(row: HostVerdict, general: list[str]) -> list[str]:
    mine = [text for text in row["blockers"] if text not in general]
    more = [f"{row['ipv4']}: {len(mine) - LINES} more (--json)"] if len(mine) > LINES else []
    return [f"{row['ipv4']}: {text}" for text in mine[:LINES]] + more


@click.command()
@retirement_options()
@json_option
def status(retirement: Retirement, as_json: bool) -> None:
    """How far the way out of ISATAP has been gone, who did what, and what comes next."""
    answer = _status(retirement)
    click.echo(json.dumps(answer) if as_json else render_status(answer, time.time()))


def _status(retirement: Retirement) -> dict[str, Any]:
    store = retirement.store
    phase = store.phase()
    return {
        "phase": phase.value,
        "next": HINTS[phase],
        "watched": retirement.watched(0.0),
        "evidence": retirement.evidence_age,
        "members": [
            {"network": str(each.network), "wave": each.wave, "since": each.since} for each in store.members()
        ],
        "entries": [_entry(entry) for entry in store.entries()],
    }


def _entry(entry: LoggedStep) -> dict[str, Any]:
    return {
        "number": entry.number,
        "step": entry.step.value,
        "phase": entry.phase.value,
        "at": entry.at,
        "since": entry.since,
        "by": entry.by,
        "forced": entry.forced,
        "figures": entry.figures,
    }


def render_status(answer: dict[str, Any], now: float) -> str:
    """The phase, the log, who retires, what is next."""
    parts = [
        f"Phase: {answer['phase']}\n"
        f"Calls were watched for {duration(answer['watched'])}; each step wants {duration(answer['evidence'])}."
    ]
    if answer["entries"]:
        rows = [
            (
                moment(each["at"]),
                each["step"] + (" (forced)" if each["forced"] else ""),
                each["by"],
                _figures(each),
            )
            for each in answer["entries"]
        ]
        parts.append(fitted(("WHEN", "STEP", "BY", "RESULT"), rows, fold="RESULT"))
    if answer["members"]:
        rows3 = [(each["network"], each["wave"], ago(each["since"], now)) for each in answer["members"]]
        parts.append(table(("RETIRES", "CHOSEN AS", "SINCE"), rows3, right=(2,)))
    parts.append(f"Next: {answer['next']}")
    return "\n\n".join(parts)


def _figures(each: dict[str, Any]) -> str:
    shown = {
        "census": ("hosts", "seen in a week", "published names", "policies"),
        "judge": ("initiate", "only hold an address", "gone", "served by nothing yet"),
    }.get(each["step"], tuple(each["figures"]))
    return ", ".join(f"{name} {each['figures'][name]}" for name in shown if name in each["figures"])
