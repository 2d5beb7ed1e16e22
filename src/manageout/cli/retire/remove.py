"""``manageout retire remove``: names and policies go, too."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from manageout.cli.retire.retire import evidence_age, force_option, opened, site_options, who
from manageout.cli.retire.seen import look, records, runtime_dir_option, usage_option, watched
from manageout.cli.rollout.ad import directory_options
from manageout.cli.show.output import printable

if TYPE_CHECKING:
    from manageout.retire.remove import Wanted
    from manageout.service.state.retire import RetireStore

SHOWN = 20
FINDING = 1


@click.command()
@site_options
@click.option(
    "--dns", is_flag=True, help="Take the records out of the DNS, as [names] says, by exact record."
)
@click.option("--policies", is_flag=True, help="Remove the policy that `rollout gpo --publish` has written.")
@click.option(
    "--scripts",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("retire-scripts"),
    show_default=True,
    help="Folder for remove.ps1 and its inverse.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would go; write nothing.")
@force_option
@directory_options
@usage_option
@runtime_dir_option
def remove(
    file: Path,
    state_dir: Path | None,
    dns: bool,
    policies: bool,
    scripts: Path,
    dry_run: bool,
    force: bool,
    server: str,
    user: str,
    usage: tuple[Path, ...],
    runtime_dir: Path | None,
) -> None:
    """Records and policies go, when every host has let go: only what is ISATAP's and this site's.

    Always writes scripts for Windows: remove.ps1 for what the last census found, restore.ps1 as its exact inverse.
    --dns and --policies do it from here, where keys and rights are at hand; `retire undo` then brings it back. May be
    run again, for what is left. Exit status 1 when something could not be removed.
    """
    from manageout.cli.rollout.ad import domain
    from manageout.retire import remove as retire_remove
    from manageout.service.state.retire_phases import Step, next_phase

    site, plan, store = opened(file, state_dir)
    phase = next_phase(store.phase(), Step.REMOVE)
    now = time.time()
    if dns:
        retire_remove.updates_of(site)
    runtime_dir = runtime_dir or site.daemon.runtime_dir
    forced = False if dry_run else _require(store, runtime_dir, usage, evidence_age(site), now, force)
    wanted = retire_remove.wanted(store, site, plan)
    if dry_run:
        _show(wanted)
    else:
        _write(wanted, scripts)
    left: list[str] = []
    if dns:
        left += retire_remove.remove_records(store, site, plan, click.echo, dry=dry_run)
    if policies:
        where = domain(site.site.domain, server, user)
        retire_remove.remove_policies(store, site, plan, where, click.echo, dry=dry_run)
    for line in left:
        click.echo(f"left: {line}")
    if not dry_run:
        figures = {"records": len(wanted.records), "values": len(wanted.values), "left": len(left)}
        store.record(Step.REMOVE, phase, now, who(), forced=forced, figures=figures)
        click.echo(f"Phase: {phase}. `manageout retire undo` brings back what went from here.")
    if left:
        raise click.exceptions.Exit(FINDING)


def _require(
    store: RetireStore, runtime_dir: Path, usage: tuple[Path, ...], age: float, now: float, force: bool
) -> bool:
    """Old enough, and nobody is left on ISATAP. True: forced."""
    from manageout.errors import ManageoutError
    from manageout.retire.watch import observe
    from manageout.service.state.retire_phases import Phase, Step, require_age

    if store.phase() is Phase.REMOVED:
        return False  # the first time has required it
    last = store.last(Step.FORWARD, Step.PILOT)
    seen = watched(records(store, usage), now, last.at) if last else 0.0
    forced = require_age(Step.REMOVE, now - seen, now, age, force)
    found = observe(look(store, runtime_dir, usage)[0], now)
    bad = [each.ipv4 for each in found if each.state == "still sends" or each.fails]
    if bad and not force:
        count = f"{len(bad)} host{'s' if len(bad) != 1 else ''}"
        hint = "`manageout retire watch` tells; mend it, or insist with --force (that is noted)"
        raise ManageoutError(f"{count} still on ISATAP or with something that fails: {bad[0]}", hint)
    return forced or bool(bad)


def _write(wanted: Wanted, folder: Path) -> None:
    from manageout.errors import ManageoutError
    from manageout.retire import script as retire_script
    from manageout.service.process.files import replace_file
    from manageout.words import counted

    text = retire_script.remove(wanted.records, wanted.values, wanted.by_hand, block=wanted.block)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ManageoutError(f"{folder}: {error.strerror}", "choose another --scripts") from None
    for name, content in (("remove.ps1", text), ("restore.ps1", retire_script.restore())):
        # With a byte order mark, without which Windows PowerShell reads the OEM code page.
        data = b"\xef\xbb\xbf" + content.replace("\n", "\r\n").encode()
        replace_file(folder / name, data, 0o644)
    click.echo(
        f"{folder}/remove.ps1 takes away {counted(len(wanted.records), 'record')} and "
        f"{counted(len(wanted.values), 'setting')} of policies; "
        f"{folder}/restore.ps1 is its inverse"
    )
    _by_hand(wanted)


def _show(wanted: Wanted) -> None:
    for record in wanted.records:
        click.echo(f"remove.ps1 would remove {record.name} {record.kind} {record.address}")
    for value in wanted.values:
        click.echo(printable(f"remove.ps1 would remove {value.name} from the policy {value.policy}"))
    _by_hand(wanted)


def _by_hand(wanted: Wanted) -> None:
    if wanted.by_hand:
        click.echo("Not touched, look at it yourself:")
    for line in wanted.by_hand[:SHOWN]:
        click.echo(printable(f"  {line}"))
    if len(wanted.by_hand) > SHOWN:
        click.echo(f"  and {len(wanted.by_hand) - SHOWN} more, in remove.ps1")
