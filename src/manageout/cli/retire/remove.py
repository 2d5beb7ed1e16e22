"""``manageout retire remove``: names and policies go, too."""

from pathlib import Path

import click

from manageout.cli.options import options
from manageout.cli.retire.options import said, with_retirement
from manageout.cli.rollout.ad import Controller, with_controller
from manageout.cli.show import files
from manageout.cli.show.output import printable
from manageout.errors import ManageoutError
from manageout.retire import remove as removal
from manageout.retire import script
from manageout.retire.remove import ScriptedRemoval
from manageout.retire.retirement import Retirement
from manageout.retire.watch import observe
from manageout.service.state.retire_phases import Phase, RetireStep, next_phase, require_age
from manageout.windows.powershell import encoded
from manageout.words import counted

SHOWN = 20
FINDING = 1


@click.command()
@options("retire.remove")
@with_retirement
@with_controller
def remove(
    retirement: Retirement, controller: Controller, dns: bool, policies: bool, scripts: Path, dry_run: bool
) -> None:
    """Records and policies go, when every host has let go: only what is ISATAP's and this site's.

    Always writes scripts for Windows: remove.ps1 for what the last census found, restore.ps1 as its exact inverse.
    --dns and --policies do it from here, where keys and rights are at hand; `retire undo` then brings it back. May be
    run again, for what is left. Exit status 1 when something could not be removed.
    """
    site, plan, store = retirement.site, retirement.plan, retirement.store
    phase = next_phase(store.phase(), RetireStep.REMOVE)
    if dns:
        removal.updates_of(site)
    forced = False if dry_run else _require(retirement)
    wanted = removal.wanted(store, site, plan)
    if dry_run:
        _show(wanted)
    else:
        _write(wanted, scripts)
    left = removal.remove_records(store, site, plan, click.echo, dry=dry_run) if dns else []
    if policies:
        removal.remove_policies(store, site, plan, controller.domain(site), click.echo, dry=dry_run)
    for line in left:
        click.echo(f"left: {line}")
    if not dry_run:
        figures = {"records": len(wanted.records), "values": len(wanted.values), "left": len(left)}
        store.record(RetireStep.REMOVE, phase, retirement.now, retirement.by, forced=forced, figures=figures)
        click.echo(f"Phase: {phase}. `manageout retire undo` brings back what went from here.")
    if left:
        raise click.exceptions.Exit(FINDING)


def _require(retirement: Retirement) -> bool:
    """Old enough, and nobody is left on ISATAP. True: forced."""
    store, now = retirement.store, retirement.now
    if store.phase() is Phase.REMOVED:
        return False  # the first time has required it
    last = store.last(RetireStep.FORWARD, RetireStep.PILOT)
    watched = retirement.watched(last.at) if last else 0.0
    forced = require_age(RetireStep.REMOVE, now - watched, now, retirement.evidence_age, retirement.force)
    found = observe(retirement.look()[0], now)
    bad = [each.ipv4 for each in found if each.state == "still sends" or each.fails]
    if bad and not retirement.force:
        hint = "`manageout retire watch` tells; mend it, or insist with --force (that is noted)"
        words = "still on ISATAP or with something that fails"
        raise ManageoutError(f"{counted(len(bad), 'host')} {words}: {bad[0]}", hint)
    return forced or bool(bad)


def _write(wanted: ScriptedRemoval, folder: Path) -> None:
    text = script.remove(wanted.records, wanted.values, wanted.by_hand, block=wanted.block)
    for name, content in (("remove.ps1", text), ("restore.ps1", script.restore())):
        files.save(folder / name, encoded(content), "--scripts")
    records, settings = counted(len(wanted.records), "record"), counted(len(wanted.values), "setting")
    click.echo(said("scripts", folder=folder, records=records, settings=settings))
    _by_hand(wanted)


def _show(wanted: ScriptedRemoval) -> None:
    for record in wanted.records:
        click.echo(f"remove.ps1 would remove {record.name} {record.kind} {record.address}")
    for value in wanted.values:
        click.echo(printable(f"remove.ps1 would remove {value.name} from the policy {value.policy}"))
    _by_hand(wanted)


def _by_hand(wanted: ScriptedRemoval) -> None:
    more = len(wanted.by_hand) - SHOWN
    lines = [printable(f"  {line}") for line in wanted.by_hand[:SHOWN]]
    lines += [f"  and {more} more, in remove.ps1"] if more > 0 else []
    if lines:
        click.echo("\n".join(["Not touched, look at it yourself:", *lines]))
