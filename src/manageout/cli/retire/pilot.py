"""``manageout retire pilot``, ``forward`` and ``undo``: hosts let go, more of them, and back."""

import json
from functools import partial
from pathlib import Path

import click

from manageout.cli.options import options
from manageout.cli.retire.options import member_row, said, with_retirement
from manageout.cli.rollout.ad import Controller, with_controller
from manageout.cli.show.output import printable
from manageout.retire import members, remove
from manageout.retire import pilot as steps
from manageout.retire.retirement import Retirement
from manageout.service.process.files import read_bounded
from manageout.service.state.retire import LoggedStep
from manageout.service.state.retire_phases import RetireStep
from manageout.windows.text import decoded
from manageout.words import counted

MAX_BYTES = 16 << 20
"""Of a file of names."""


def _words_of(words: tuple[str, ...]) -> list[str]:
    """``@FILE`` stands for its lines."""
    found: list[str] = []
    for word in words:
        if word.startswith("@"):
            text = decoded(read_bounded(Path(word[1:]), MAX_BYTES, "one name or address a line"))
            found += [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        else:
            found.append(word)
    return found


@click.command()
@click.argument("hosts", nargs=-1, required=True, metavar="WHO...")
@options("retire.pilot")
@with_retirement
def pilot(retirement: Retirement, hosts: tuple[str, ...], as_json: bool) -> None:
    """Chosen hosts let go of ISATAP by themselves: the router tells them that prefix and routes are gone.

    WHO: a group of [[policy.managers]], a network, an address, a name, or @FILE with one a line. New connections of
    these hosts then go another way at once; connections that they have open through ISATAP end. Their address stays for
    up to two hours, without use. What they send all the same is still forwarded, and counted: see `retire watch`.
    """
    _widen(retirement, RetireStep.PILOT, hosts, everybody=False, as_json=as_json)


@click.command()
@click.argument("hosts", nargs=-1, metavar="WHO...")
@options("retire.forward")
@with_retirement
def forward(retirement: Retirement, hosts: tuple[str, ...], everybody: bool, as_json: bool) -> None:
    """The next hosts let go, or all of them. Refused while something fails for those before.

    WHO: a group of [[policy.managers]], a network, an address, a name, or @FILE with one a line.
    """
    if bool(hosts) == everybody:
        left = members.groups_left(retirement.site, retirement.store.members())
        groups = ", ".join(left) or "none of the site file"
        raise click.UsageError(f"say who is next, or --all; groups that are left: {groups}")
    _widen(retirement, RetireStep.FORWARD, hosts, everybody=everybody, as_json=as_json)


def _widen(
    retirement: Retirement, step: RetireStep, hosts: tuple[str, ...], *, everybody: bool, as_json: bool
) -> None:
    site, store = retirement.site, retirement.store
    seen, _ = retirement.look()
    if everybody:
        wanted = {members.EVERYBODY: members.everybody(site)}
    else:
        names = members.names([*store.found("host"), *seen.hosts])
        wanted = members.chosen(site, _words_of(hosts), names)
    entry = steps.widen(store, step, wanted, retirement, seen.hosts, seen.usage)
    _tell(retirement, entry, retirement.taken_up(store.members()), as_json)


def _tell(retirement: Retirement, entry: LoggedStep, fault: str, as_json: bool) -> None:
    isatap, known = retirement.site.isatap, retirement.store.members()
    others = list(map(str, isatap.routers)) if isatap else []
    if as_json:
        rows = [member_row(each) | {"new": each.since == entry.at} for each in known]
        step = {name: getattr(entry, name) for name in ("step", "phase", "forced", "figures")}
        click.echo(json.dumps(step | {"members": rows, "router": fault, "other_routers": others}))
        return
    for each in known:
        if each.since == entry.at:
            click.echo(f"{printable(each.wave)}: {each.network} retires")
    click.echo(f"{counted(entry.figures['hosts'], 'known host')} in all; phase: {entry.phase}")
    click.echo(fault or said("told"))
    if others:
        click.echo(said("others", routers=", ".join(others)))


@click.command()
@options("retire.undo")
@with_retirement
@with_controller
def undo(retirement: Retirement, controller: Controller, as_json: bool) -> None:
    """Everything is as it was before the pilot: hosts come back at once, names and policies too.

    In one command, from every phase. What a name server or domain controller refuses is named, and tried again by the
    next undo; scripts that were run on Windows have their own inverse (restore.ps1 beside remove.ps1).
    """
    site, store = retirement.site, retirement.store
    restored: list[str] = []
    domain = partial(controller.domain, site)
    entry, left = steps.undo(store, retirement, lambda: remove.restore(store, site, domain, restored.append))
    fault = retirement.taken_up([])
    if as_json:
        answer = {"phase": entry.phase, "restored": restored, "left": left, "router": fault}
        click.echo(json.dumps(answer))
    else:
        last = "Run it again when that is mended." if left else f"Phase: {entry.phase}"
        lines = [*restored, fault or said("told-back"), *(f"not restored: {line}" for line in left), last]
        click.echo("\n".join(lines))
    if left:
        raise click.exceptions.Exit(1)
