"""``manageout retire judge``."""

import json
from functools import partial
from pathlib import Path

import click

from manageout.cli.options import options
from manageout.cli.retire.options import said, with_retirement
from manageout.cli.show.output import ago, duration
from manageout.cli.show.table import Column, listed, short, table
from manageout.retire.judge import HostVerdicts, LeaseGateway, caveats
from manageout.retire.judge import judge as judged
from manageout.retire.retirement import Retirement
from manageout.retire.rows import HostVerdict, services
from manageout.service.state.retire_phases import RetireStep, next_phase, require_age
from manageout.service.state.usage import UsageFile
from manageout.site.contradictions import read_site

DAY = 86400
FINDING = 1
"""Exit code of ``judge`` when somebody would be served by nothing."""
SERVICES, LINES = 2, 5


@click.command()
@options("retire.judge")
@with_retirement
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
    step = RetireStep.JUDGE
    phase = next_phase(store.phase(), step)
    records = retirement.records() or [UsageFile(store.path.parent)]
    since = now - min(record.watched(now) for record in records)
    forced = require_age(step, since, now, retirement.evidence_age, retirement.force)
    served = LeaseGateway(*read_site(gateway)) if gateway else LeaseGateway(site, retirement.plan)
    calls = (row for record in records for row in record.rows())
    found = judged(store.found("host"), calls, served, after)
    found.blockers += caveats(site)
    blockers = {f"{n:03}": {"what": what} for n, what in enumerate(found.blockers)}
    record = partial(store.record, step, phase, now, retirement.by, since=since, forced=forced)
    record(figures=found.figures, found={"verdict": found.verdicts, "blocker": blockers})
    return found, since


def render(found: HostVerdicts, watched: float, now: float) -> str:
    """Figures, who calls whom, and what stands in the way."""
    parts = [said("judge", watched=duration(watched), **found.figures)]
    callers = [row for row in found.verdicts.values() if row["class"] == "initiates"]
    if callers:
        callers.sort(key=lambda row: -row["calls"])
        parts.append(table(_callers(now), callers))
    unserved = (row for row in callers if row["serves"] == "nothing")
    obstacles = [line for row in unserved for line in _obstacles(row, found.blockers)]
    if found.blockers or obstacles:
        parts.append(listed("In the way:", [*found.blockers, *obstacles]))
    return "\n\n".join(parts)


def _callers(now: float) -> tuple[Column[HostVerdict], ...]:
    return (
        Column("HOST", lambda row: row["ipv4"]),
        Column("NAME", lambda row: short(row["name"], 20)),
        Column("CALLS", lambda row: str(row["calls"]), right=True),
        Column("LAST", lambda row: ago(row["last_call"], now), right=True),
        Column("OPENS", _opens),
        Column("CLIENTS", lambda row: str(len({each["client"] for each in row["opens"]})), right=True),
        Column("THEN BY", _then),
    )


def _opens(row: HostVerdict) -> str:
    opened = services(row["opens"])
    more = f" +{len(opened) - SERVICES}" if len(opened) > SERVICES else ""
    return " ".join(opened[:SERVICES]) + more


def _then(row: HostVerdict) -> str:
    already = sum(row["already"].values())
    then = {"nothing": "nothing yet", "native": "native IPv6"}.get(row["serves"], row["serves"])
    return then + (f" ({already} calls so)" if already else "")


def _obstacles(row: HostVerdict, general: list[str]) -> list[str]:
    mine = [text for text in row["blockers"] if text not in general]
    more = [f"{row['ipv4']}: {len(mine) - LINES} more (--json)"] if len(mine) > LINES else []
    return [f"{row['ipv4']}: {text}" for text in mine[:LINES]] + more
