"""``manageout retire pilot``, ``forward`` and ``undo``: hosts let go, more of them, and back."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from manageout.cli.retire.retire import evidence_age, force_option, opened, site_options, who
from manageout.cli.retire.seen import look, records, runtime_dir_option, taken, usage_option, watched
from manageout.cli.rollout.ad import directory_options
from manageout.cli.show.output import printable

if TYPE_CHECKING:
    from manageout.service.state.retire import Entry, RetireStore
    from manageout.service.state.retire_phases import Step
    from manageout.site.tables.site import Site

_json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable, stable.")


def _members_of(words: tuple[str, ...]) -> list[str]:
    """``@FILE`` stands for its lines."""
    from manageout.errors import ManageoutError
    from manageout.windows.gpo_read import decoded

    found: list[str] = []
    for word in words:
        if not word.startswith("@"):
            found.append(word)
            continue
        try:
            text = decoded(Path(word[1:]).read_bytes())
        except OSError as error:
            raise ManageoutError(f"{word[1:]}: {error.strerror}", "one name or address a line") from None
        found += [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return found


@click.command()
@click.argument("hosts", nargs=-1, required=True, metavar="WHO...")
@site_options
@force_option
@usage_option
@runtime_dir_option
@_json_option
def pilot(hosts: tuple[str, ...], **options: Any) -> None:
    """Chosen hosts let go of ISATAP by themselves: the router tells them that prefix and routes are gone.

    WHO: a group of [[policy.managers]], a network, an address, a name, or @FILE with one a line. New connections of
    these hosts then go another way at once; connections that they have open through ISATAP end. Their address stays for
    up to two hours, without use. What they send all the same is still forwarded, and counted: see `retire watch`.
    """
    from manageout.service.state.retire_phases import Step

    _widen(Step.PILOT, _members_of(hosts), everybody=False, **options)


@click.command()
@click.argument("hosts", nargs=-1, metavar="WHO...")
@click.option("--all", "everybody", is_flag=True, help="Every host that isatap.hosts allows.")
@site_options
@force_option
@usage_option
@runtime_dir_option
@_json_option
def forward(hosts: tuple[str, ...], everybody: bool, **options: Any) -> None:
    """The next hosts let go, or all of them. Refused while something fails for those before.

    WHO: a group of [[policy.managers]], a network, an address, a name, or @FILE with one a line.
    """
    from manageout.retire.members import groups_left
    from manageout.service.state.retire_phases import Step

    if bool(hosts) == everybody:
        site, _, store = opened(options["file"], options["state_dir"])
        left = ", ".join(groups_left(site, store.members())) or "none of the site file"
        raise click.UsageError(f"say who is next, or --all; groups that are left: {left}")
    _widen(Step.FORWARD, _members_of(hosts), everybody=everybody, **options)


def _widen(
    step: Step,
    words: list[str],
    *,
    everybody: bool,
    file: Path,
    state_dir: Path | None,
    force: bool,
    usage: tuple[Path, ...],
    runtime_dir: Path | None,
    as_json: bool,
) -> None:
    from manageout.retire import members as retire_members
    from manageout.retire import pilot as retire_pilot

    site, _, store = opened(file, state_dir)
    runtime_dir = runtime_dir or site.daemon.runtime_dir
    seen, _ = look(store, runtime_dir, usage)
    names: dict[str, str] = {}
    for row in [*store.found("host"), *seen.hosts]:
        if row.get("name"):
            names[row["name"].lower()] = names[row["name"].lower().partition(".")[0]] = row["ipv4"]
    if everybody:
        wanted = {retire_members.EVERYBODY: retire_members.everybody(site)}
    else:
        wanted = retire_members.chosen(site, words, names)
    now = time.time()
    kept = records(store, usage)
    whom = retire_pilot.Who(who(), now, evidence_age(site), force, lambda since: watched(kept, now, since))
    entry = retire_pilot.widen(store, step, wanted, whom, seen.hosts, seen.usage)
    _told(site, store, entry, taken(runtime_dir, store.members()), as_json)


def _told(site: Site, store: RetireStore, entry: Entry, fault: str, as_json: bool) -> None:
    members = store.members()
    others = [str(address) for address in site.isatap.routers] if site.isatap else []
    if as_json:
        rows = [
            {
                "network": str(each.network),
                "wave": each.wave,
                "since": each.since,
                "new": each.since == entry.at,
            }
            for each in members
        ]
        answer = {
            "step": entry.step,
            "phase": entry.phase,
            "forced": entry.forced,
            "figures": entry.figures,
            "members": rows,
            "router": fault,
            "other_routers": others,
        }
        click.echo(json.dumps(answer))
        return
    for each in members:
        if each.since == entry.at:
            click.echo(f"{printable(each.wave)}: {each.network} retires")
    count = entry.figures["hosts"]
    click.echo(f"{count} known host{'s' if count != 1 else ''} in all; phase: {entry.phase}")
    click.echo(
        fault or "The router tells them now, three times within a minute. Next: manageout retire watch"
    )
    if others:
        click.echo(
            f"This site has other routers ({', '.join(others)}): run the same steps there, or hosts listen to them"
        )


@click.command()
@site_options
@directory_options
@runtime_dir_option
@_json_option
def undo(
    file: Path,
    state_dir: Path | None,
    server: str,
    user: str,
    runtime_dir: Path | None,
    as_json: bool,
) -> None:
    """Everything is as it was before the pilot: hosts come back at once, names and policies too.

    In one command, from every phase. What a name server or domain controller refuses is named, and tried again by the
    next undo; scripts that were run on Windows have their own inverse (restore.ps1 beside remove.ps1).
    """
    from manageout.cli.rollout.ad import domain
    from manageout.retire import pilot as retire_pilot
    from manageout.retire import remove as retire_remove

    site, _, store = opened(file, state_dir)
    whom = retire_pilot.Who(who(), time.time(), 0.0, False, lambda _: 0.0)
    said: list[str] = []
    entry, left = retire_pilot.undo(
        store,
        whom,
        lambda: retire_remove.restore(
            store, site, lambda: domain(site.site.domain, server, user), said.append
        ),
    )
    fault = taken(runtime_dir or site.daemon.runtime_dir, [])
    if as_json:
        answer = {"phase": entry.phase, "restored": said, "left": left, "router": fault}
        click.echo(json.dumps(answer))
    else:
        for line in said:
            click.echo(line)
        click.echo(fault or "The router tells its hosts now, three times within a minute: they come back.")
        for line in left:
            click.echo(f"not restored: {line}")
        click.echo("Run it again when that is mended." if left else f"Phase: {entry.phase}")
    if left:
        raise click.exceptions.Exit(1)
