"""``manageout retire census``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from manageout.cli.retire.retire import listed, opened, short, site_options, who
from manageout.cli.rollout.ad import directory_options
from manageout.cli.show.output import ago, size, table
from manageout.words import counted

if TYPE_CHECKING:
    from manageout.retire.census.census import Census

SHOWN = 30
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@site_options
@click.option(
    "--registry", multiple=True, type=_FILE, help="`manageout hosts --json` of another router; repeatable."
)
@click.option("--dns", multiple=True, metavar="ADDRESS", help="Ask this DNS server too; repeatable.")
@click.option("--zone", multiple=True, metavar="NAME", help="Transfer this zone too; repeatable.")
@click.option(
    "--zone-file",
    multiple=True,
    type=_FILE,
    help="A zone file, or a list of names and addresses; repeatable.",
)
@click.option("--tsig", type=_FILE, help="Key file for the transfers; names.key_file when left out.")
@click.option(
    "--policies",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A folder of Backup-GPO, or a file of Get-GPOReport -ReportType Xml; repeatable.",
)
@click.option("--ad", is_flag=True, help="Read zones and group policies from Active Directory.")
@directory_options
@click.option("--all", "everything", is_flag=True, help=f"List every host, not the first {SHOWN}.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable, stable; times are Unix seconds.")
def census(
    file: Path,
    state_dir: Path | None,
    registry: tuple[Path, ...],
    dns: tuple[str, ...],
    zone: tuple[str, ...],
    zone_file: tuple[Path, ...],
    tsig: Path | None,
    policies: tuple[Path, ...],
    ad: bool,
    server: str,
    user: str,
    everything: bool,
    as_json: bool,
) -> None:
    """Count who has to do with ISATAP, and keep the result; changes nothing else.

    Hosts come from this router's registry and from ISATAP addresses in the zones; names from every DNS server that is
    known here; group policies from Active Directory (--ad) or from files. What could not be read is listed. Names in
    HOSTS files, in NetBIOS and on machines that never called are not seen from here.
    """
    from manageout.cli.rollout.ad import domain
    from manageout.retire.census.census import Sources, take
    from manageout.service.state.retire_phases import Step, next_phase

    site, plan, store = opened(file, state_dir)
    phase = next_phase(store.phase(), Step.CENSUS)
    directory = domain(site.site.domain, server, user) if ad else None
    sources = Sources(store.path.parent, registry, dns, zone, zone_file, tsig, policies, directory)
    now = time.time()
    found = take(site, plan, sources, now)
    store.record(Step.CENSUS, phase, now, who(), figures=found.figures, found=found.found())
    if as_json:
        click.echo(json.dumps({"at": now, "figures": found.figures, **_rows(found)}))
    else:
        click.echo(render(found, now, None if everything else SHOWN))


def _rows(found: Census) -> dict[str, object]:
    return {
        "hosts": list(found.hosts.values()),
        "names": found.names,
        "policies": found.policies,
        "unseen": found.unseen,
    }


def render(found: Census, now: float, limit: int | None = None) -> str:
    """Figures, then hosts, names and policies as tables."""
    parts = [_head(found.figures, any(what.startswith("group policies") for what in found.unseen))]
    if found.hosts:
        rows = sorted(found.hosts.values(), key=lambda row: -row["last_seen"])
        parts.append(
            table(
                ("HOST", "NAME", "SEEN BY", "LAST", "PACKETS", "BYTES"),
                [_host(row, now) for row in rows[:limit]],
                right=(3, 4, 5),
            )
        )
        if limit is not None and len(rows) > limit:
            parts[-1] += f"\n({len(rows) - limit} more: --all)"
    if found.names:
        parts.append(table(("NAME", "WHERE", "SAYS"), [_name(row) for row in found.names]))
    if found.policies:
        parts.append(table(("POLICY", "SAYS", "ISATAP"), [_policy(row) for row in found.policies]))
    if found.unseen:
        parts.append(listed("Not seen:", found.unseen))
    parts.append("Next: manageout retire judge")
    return "\n\n".join(parts)


def _head(figures: dict[str, int], no_policies: bool) -> str:
    hosts, names = counted(figures["hosts"], "host"), counted(figures["published names"], "name")
    policies = counted(figures["policies"], "group policy", "group policies")
    day, month = figures["seen in a day"], figures["seen in 30 days"]
    strangers = figures["of other routers"]
    lines = [
        f"{hosts} with an ISATAP address: {day} seen in the last day, {month} in 30 days,",
        f"{figures['only in the DNS']} only in the DNS; {strangers} with an address of another router.",
        f"{names} published; "
        + ("group policies were not looked at." if no_policies else f"{policies} set it."),
    ]
    return "\n".join(lines)


def _host(row: dict[str, Any], now: float) -> tuple[str, ...]:
    where = ", ".join([*row["routers"], *(["DNS"] if row["records"] else [])])
    mark = "*" if row["foreign"] else ""
    last = ago(row["last_seen"], now)
    name = short(row["name"] or "-", 30)
    return row["ipv4"] + mark, name, short(where, 22), last, str(row["packets"]), size(row["bytes"])


def _name(row: dict[str, Any]) -> tuple[str, ...]:
    says = ", ".join(row["values"]) or row["said"] or "-"
    if row["blocked"]:
        says = "blocked: the zone has it"
    return short(row["name"], 36), short(row["place"], 30), short(says, 30)


def _policy(row: dict[str, Any]) -> tuple[str, ...]:
    return short(row["policy"], 30), short(row["what"], 54), row["turns"]
