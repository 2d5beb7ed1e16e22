"""``manageout doctor``: the cause, and what mends it."""

import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from manageout.cli.doctor import live as this_machine
from manageout.cli.doctor.explain import explain as explain_code
from manageout.cli.doctor.explain import print_rules
from manageout.cli.doctor.reach import reach
from manageout.cli.options import options
from manageout.cli.show.findings import report, show, wrong
from manageout.cli.show.options import PATH
from manageout.cli.show.output import printable
from manageout.cli.show.table import folded
from manageout.doctor.diagnosis import Diagnosis, diagnose
from manageout.doctor.facts import Facts
from manageout.doctor.read import bundle
from manageout.doctor.read.text import MAX_BYTES, decode
from manageout.errors import ManageoutError


class Doctor(click.Command):
    """Evidence is files; but the word ``reach`` in front is a command of its own (a file of that name is ./reach)."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Of the command that is meant."""
        if args and args[0] == "reach":
            return reach.make_context(f"{info_name} reach", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=Doctor)
@click.argument("evidence", nargs=-1, type=PATH)
@options("doctor")
@this_machine.with_machine
@click.pass_context
def doctor(
    ctx: click.Context,
    /,
    evidence: tuple[Path, ...],
    collector: bool,
    explain: str | None,
    list_rules: bool,
    markdown: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Say why managing out fails: cause and remedy.

    EVIDENCE is what the collector wrote on a Windows machine (`--collector` prints the script), or saved output of
    `ipconfig /all`, netsh, nslookup, reg query and PowerShell's cmdlets in any language, also as mails and web pages
    show it, or what `--save` has saved; files, folders and zip archives. Without any, paste it, then press Ctrl-D.

    With --live this machine is the evidence: a gateway, an ISATAP router, an ISATAP host or any other. As root it
    sees most. It asks every name server, solicits ISATAP routers, measures paths and looks at certificates, clocks
    and the packet filter; nothing is changed. Exits with 1 when there is an error or a warning.

    `manageout doctor reach HOST CLIENT` says hop by hop why a manager cannot reach a client; see its own --help.
    """
    if markdown and not list_rules:
        raise click.UsageError("--markdown goes with --rules", ctx)
    if collector:
        script = files("manageout.windows").joinpath("scripts", "collect.ps1")
        click.echo(script.read_text(encoding="utf-8"), nl=False)
    elif explain is not None:
        explain_code(explain, as_json)
    elif list_rules:
        print_rules(as_json, markdown)
    else:
        machines, found = _diagnosed(ctx, evidence, **options)
        if as_json:
            click.echo(json.dumps([finding._asdict() for finding in found], indent=2))
        else:
            _print(machines, found)
        ctx.exit(1 if wrong(found) else 0)


def _diagnosed(
    ctx: click.Context,
    evidence: tuple[Path, ...],
    live: bool,
    save: Path | None,
    machine: this_machine.ThisMachine,
    router: str,
    gateways: tuple[str, ...],
    authorities: Path | None,
) -> tuple[list[Facts], list[Diagnosis]]:
    if not live and save is None:
        needless = {"server": machine.servers, "router": router, "gateway": gateways, "ca": authorities}
        if given := [name for name, value in needless.items() if value]:
            raise click.UsageError(f"--{given[0]} goes with --live", ctx)
        paste = evidence in ((), (Path("-"),))
        machines = bundle.read_pasted(_pasted()) if paste else bundle.read(evidence)
        return machines, diagnose(machines)
    if evidence:
        raise click.UsageError("--live and --save look at this machine, not at files", ctx)
    wanted = this_machine.wanted(machine, router, gateways, authorities)
    facts = this_machine.look(wanted)
    found = diagnose([facts])
    if save is not None:
        this_machine.save(save, wanted, facts, found, machine.file)
    return [facts], found


def _pasted() -> str:
    if sys.stdin.isatty():
        click.echo("Paste the output of ipconfig /all, netsh or cmdlets, then press Ctrl-D:", err=True)
    data = sys.stdin.buffer.read(MAX_BYTES)
    if not data.strip():
        raise ManageoutError("nothing to look at", "name a file, or see `manageout doctor --help`")
    return decode(data)


def _print(machines: list[Facts], found: list[Diagnosis]) -> None:
    for facts in machines:
        if facts.live is not None:
            report(facts.live)
    show(found)
    names = ", ".join(f"{printable(facts.computer or facts.source)} ({_kind(facts)})" for facts in machines)
    words = f"looked at {names}" if wrong(found) else _nothing(machines, names, found)
    click.echo(folded(words))


def _kind(facts: Facts) -> str:
    return "role unknown" if facts.kind == "unknown" else facts.kind


def _nothing(machines: list[Facts], names: str, notes: list[Diagnosis]) -> str:
    """Nobody is to take what was left out, or is only noted, for health."""
    named = sum(len(one.seen) for one in notes if one.code == "EVIDENCE")
    dropped = max(named, sum(len(facts.unread) for facts in machines))
    if dropped:
        some = "one part was" if dropped == 1 else f"{dropped} parts were"
        return f"no fault in what could be read from {names}; {some} not: see EVIDENCE above"
    return f"nothing wrong that can be seen from {names}" + ("; see the notes above" if notes else "")
