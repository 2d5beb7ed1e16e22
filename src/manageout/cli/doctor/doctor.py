"""``manageout doctor``: the cause, and what mends it."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from manageout.cli.doctor.live import look_options
from manageout.cli.show.findings import WIDTH, report, show, wrong
from manageout.cli.show.output import printable
from manageout.errors import ManageoutError

if TYPE_CHECKING:
    from manageout.doctor.diagnosis import Diagnosis
    from manageout.doctor.facts import Facts

_file = click.Path(path_type=Path)


class Doctor(click.Command):
    """Evidence is files; but the word ``reach`` in front is a command of its own (a file of that name is ./reach)."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Of the command that is meant."""
        if args and args[0] == "reach":
            from manageout.cli.doctor.reach import reach

            return reach.make_context(f"{info_name} reach", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=Doctor)
@click.argument("evidence", nargs=-1, type=_file)
@click.option("--live", is_flag=True, help="Look at this Linux machine and what it reaches, now.")
@click.option("--save", type=_file, metavar="FILE.zip", help="Look, and save it all for somebody else.")
@look_options
@click.option("--router", default="", metavar="NAME|ADDRESS", help="ISATAP router to solicit.")
@click.option(
    "--gateway",
    "gateways",
    multiple=True,
    metavar="URL",
    help="Gateway to try, as a client would. Repeatable.",
)
@click.option("--ca", "authorities", type=_file, help="Authorities that clients of --gateway trust (PEM).")
@click.option(
    "--collector", is_flag=True, help="Print the PowerShell script that gathers evidence on Windows."
)
@click.option(
    "--explain", metavar="CODE", help="Say what a code means, and in what words people complain of it."
)
@click.option("--rules", "list_rules", is_flag=True, help="List every rule.")
@click.option("--markdown", is_flag=True, help="With --rules: the troubleshooting page.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.pass_context
def doctor(
    ctx: click.Context,
    /,
    evidence: tuple[Path, ...],
    live: bool,
    save: Path | None,
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
    if collector:
        click.echo(_collector(), nl=False)
        return
    if explain is not None:
        _explain(explain, as_json)
        return
    if markdown and not list_rules:
        raise click.UsageError("--markdown goes with --rules", ctx)
    if list_rules:
        _print_rules(as_json, markdown)
        return
    from manageout.doctor.diagnosis import diagnose
    from manageout.doctor.read import bundle

    if live or save is not None:
        if evidence:
            raise click.UsageError("--live and --save look at this machine, not at files", ctx)
        machines = [_live(options)]
    else:
        _without(ctx, options)
        paste = evidence in ((), (Path("-"),))
        machines = bundle.read_pasted(_pasted()) if paste else bundle.read(evidence)
    found = diagnose(machines)
    if save is not None:
        _save(save, options, machines[0], found)
    if as_json:
        click.echo(json.dumps([finding._asdict() for finding in found], indent=2))
    else:
        _print(machines, found)
    ctx.exit(1 if wrong(found) else 0)


def _live(options: dict[str, Any]) -> Facts:
    from manageout.cli.doctor import live as doctor_live

    for server in options["servers"]:
        doctor_live.valid_server(server)
    return doctor_live.look(doctor_live.wanted(**options))


def _save(path: Path, options: dict[str, Any], machine: Facts, found: list[Diagnosis]) -> None:
    from manageout.cli.doctor import live as doctor_live

    doctor_live.save(path, doctor_live.wanted(**options), machine, found, options["file"])
    click.echo(f"saved {path}: secrets are removed, names and addresses are not", err=True)


def _without(ctx: click.Context, options: dict[str, Any]) -> None:
    """Options of a live look, without one."""
    given = [name for name in ("servers", "router", "gateways", "authorities") if options[name]]
    if given:
        raise click.UsageError(
            f"--{given[0].removesuffix('s').replace('authoritie', 'ca')} goes with --live", ctx
        )


def _collector() -> str:
    from importlib.resources import files

    script = files("manageout.windows").joinpath("scripts", "collect.ps1")
    return script.read_text(encoding="utf-8")


def _pasted() -> str:
    from manageout.doctor.read.text import MAX_BYTES, decode

    if sys.stdin.isatty():
        click.echo("Paste the output of ipconfig /all, netsh or cmdlets, then press Ctrl-D:", err=True)
    data = sys.stdin.buffer.read(MAX_BYTES)
    if not data.strip():
        raise ManageoutError("nothing to look at", "name a file, or see `manageout doctor --help`")
    return decode(data)


def _explain(code: str, as_json: bool) -> None:
    from manageout.cli.doctor.explain import explain

    explain(code, as_json)


def _print_rules(as_json: bool, markdown: bool) -> None:
    if markdown:
        from manageout.doctor.report.page import troubleshooting_text

        click.echo(troubleshooting_text(), nl=False)
        return
    from manageout.doctor.rules.catalogue import RULES

    if as_json:
        rows = [
            {"code": r.code, "severity": r.severity, "title": r.title, "cause": r.cause}
            for r in RULES.values()
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    width = max(map(len, RULES))
    for rule in RULES.values():
        click.echo(f"{rule.code:<{width}}  {rule.severity:<8} {rule.title}")


def _print(machines: list[Facts], found: list[Diagnosis]) -> None:
    for facts in machines:
        if facts.live is not None:
            report(facts.live)
    show(found)
    names = ", ".join(f"{printable(facts.computer or facts.source)} ({_kind(facts)})" for facts in machines)
    words = f"looked at {names}" if wrong(found) else _nothing(machines, names, bool(found))
    click.echo(textwrap.fill(words, WIDTH, break_long_words=False, break_on_hyphens=False))


def _kind(facts: Facts) -> str:
    return "role unknown" if facts.kind == "unknown" else facts.kind


def _nothing(machines: list[Facts], names: str, notes: bool) -> str:
    """Nobody is to take what was left out, or is only noted, for health."""
    dropped = sum(len(facts.unread) for facts in machines)
    if dropped:
        some = "one part was" if dropped == 1 else f"{dropped} parts were"
        return f"no fault in what could be read from {names}; {some} not: see EVIDENCE above"
    return f"nothing wrong that can be seen from {names}" + ("; see the notes above" if notes else "")
