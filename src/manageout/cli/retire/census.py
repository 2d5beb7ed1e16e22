"""``manageout retire census``."""

import json
from typing import Any

import click

from manageout.cli.options import options
from manageout.cli.retire.options import said, with_retirement
from manageout.cli.rollout.ad import Controller, with_controller
from manageout.cli.show.output import ago, size
from manageout.cli.show.table import Column, listed, short, table
from manageout.retire.census.census import Census, Sources, take
from manageout.retire.retirement import Retirement
from manageout.retire.rows import CensusHost, PolicySetting, PublishedName
from manageout.service.state.retire_phases import RetireStep, next_phase
from manageout.words import counted

SHOWN = 30


@click.command()
@options("retire.census")
@with_retirement
@with_controller
def census(
    retirement: Retirement, controller: Controller, ad: bool, everything: bool, as_json: bool, **sources: Any
) -> None:
    """Count who has to do with ISATAP, and keep the result; changes nothing else.

    Hosts come from this router's registry and from ISATAP addresses in the zones; names from every DNS server that is
    known here; group policies from Active Directory (--ad) or from files. What could not be read is listed. Names in
    HOSTS files, in NetBIOS and on machines that never called are not seen from here.
    """
    site, store, now = retirement.site, retirement.store, retirement.now
    phase = next_phase(store.phase(), RetireStep.CENSUS)
    domain = controller.domain(site) if ad else None
    found = take(site, retirement.plan, Sources(store.path.parent, domain=domain, **sources), now)
    store.record(RetireStep.CENSUS, phase, now, retirement.by, figures=found.figures, found=found.found())
    if as_json:
        rows = {name: getattr(found, name) for name in ("names", "policies", "unseen")}
        head = {"at": now, "figures": found.figures, "hosts": list(found.hosts.values())}
        click.echo(json.dumps(head | rows))
    else:
        click.echo(render(found, now, None if everything else SHOWN))


def render(found: Census, now: float, limit: int | None = None) -> str:
    """Figures, then hosts, names and policies as tables."""
    parts = [_head(found.figures, any(what.startswith("group policies") for what in found.unseen))]
    if found.hosts:
        rows = sorted(found.hosts.values(), key=lambda row: -row["last_seen"])
        parts.append(table(_hosts(now), rows[:limit]))
        if limit is not None and len(rows) > limit:
            parts[-1] += f"\n({len(rows) - limit} more: --all)"
    parts += [table(NAMES, found.names)] if found.names else []
    parts += [table(POLICIES, found.policies)] if found.policies else []
    parts += [listed("Not seen:", found.unseen)] if found.unseen else []
    return "\n\n".join([*parts, "Next: manageout retire judge"])


def _head(figures: dict[str, int], no_policies: bool) -> str:
    hosts, names = counted(figures["hosts"], "host"), counted(figures["published names"], "name")
    policies = counted(figures["policies"], "group policy", "group policies") + " set it."
    policies = "group policies were not looked at." if no_policies else policies
    return said("census", **figures | {"hosts": hosts, "names": names, "policies": policies})


def _where(row: CensusHost) -> str:
    return short(", ".join([*row["routers"], *(["DNS"] if row["records"] else [])]), 22)


def _says(row: PublishedName) -> str:
    return "blocked: the zone has it" if row["blocked"] else ", ".join(row["values"]) or row["said"] or "-"


def _hosts(now: float) -> tuple[Column[CensusHost], ...]:
    return (
        Column("HOST", lambda row: row["ipv4"] + "*" * row["foreign"]),
        Column("NAME", lambda row: short(row["name"], 30)),
        Column("SEEN BY", _where),
        Column("LAST", lambda row: ago(row["last_seen"], now), right=True),
        Column("PACKETS", lambda row: str(row["packets"]), right=True),
        Column("BYTES", lambda row: size(row["bytes"]), right=True),
    )


NAMES: tuple[Column[PublishedName], ...] = (
    Column("NAME", lambda row: short(row["name"], 36)),
    Column("WHERE", lambda row: short(row["place"], 30)),
    Column("SAYS", lambda row: short(_says(row), 30)),
)
POLICIES: tuple[Column[PolicySetting], ...] = (
    Column("POLICY", lambda row: short(row["policy"], 30)),
    Column("SAYS", lambda row: short(row["what"], 54)),
    Column("ISATAP", lambda row: row["turns"]),
)
