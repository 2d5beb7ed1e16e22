"""``manageout doctor``: the cause, and what mends it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from manageout.errors import ManageoutError

if TYPE_CHECKING:
    from manageout.doctor.facts import Facts
    from manageout.doctor.findings import Finding

_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


@click.command()
@click.argument("evidence", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--collector", is_flag=True, help="Print the PowerShell script that gathers evidence on Windows."
)
@click.option("--rules", "list_rules", is_flag=True, help="List every rule.")
@click.option("--markdown", is_flag=True, help="With --rules: the troubleshooting page.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.pass_context
def doctor(
    ctx: click.Context,
    evidence: tuple[Path, ...],
    collector: bool,
    list_rules: bool,
    markdown: bool,
    as_json: bool,
) -> None:
    """Say why a Windows machine cannot manage out, or cannot be reached: cause and remedy.

    EVIDENCE is what the collector wrote on the machine (`--collector` prints the script), or saved output of
    `ipconfig /all` and netsh in any language; files, folders and zip archives. Without any, paste it, then press
    Ctrl-D. Exits with 1 when there is an error or a warning.
    """
    if collector:
        click.echo(_collector(), nl=False)
        return
    if markdown and not list_rules:
        raise click.UsageError("--markdown goes with --rules", ctx)
    if list_rules:
        _print_rules(as_json, markdown)
        return
    from manageout.doctor import bundle, rules
    from manageout.doctor.findings import diagnose

    assert rules.__all__  # importing it registers them
    machines = bundle.read(evidence) if evidence else bundle.read_pasted(_pasted())
    found = diagnose(machines)
    if as_json:
        click.echo(json.dumps([finding._asdict() for finding in found], indent=2))
    else:
        _print(machines, found)
    ctx.exit(1 if any(finding.severity != "note" for finding in found) else 0)


def _collector() -> str:
    from importlib.resources import files

    script = files("manageout.windows").joinpath("scripts", "collect.ps1")
    return script.read_text(encoding="utf-8")


def _pasted() -> str:
    from manageout.doctor.text import MAX_BYTES, decode

    if sys.stdin.isatty():
        click.echo("Paste the output of ipconfig /all and netsh, then press Ctrl-D:", err=True)
    data = sys.stdin.buffer.read(MAX_BYTES)
    if not data.strip():
        raise ManageoutError("nothing to look at", "name a file, or see `manageout doctor --help`")
    return decode(data)


def _print_rules(as_json: bool, markdown: bool) -> None:
    if markdown:
        from manageout.doctor.page import troubleshooting_text

        click.echo(troubleshooting_text(), nl=False)
        return
    from manageout.doctor import rules
    from manageout.doctor.findings import RULES

    assert rules.__all__
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


def _print(machines: list[Facts], found: list[Finding]) -> None:
    for finding in found:
        mark = click.style(finding.severity, fg=_COLOURS[finding.severity], bold=True)
        click.echo(f"{mark} {finding.code} on {finding.computer}: {finding.title}")
        for quote in finding.seen:
            click.echo(f"  seen    {quote}")
        click.echo(f"  cause   {finding.cause}")
        for step in finding.remedy:
            click.echo(f"  remedy  {step}")
        if finding.hidden:
            click.echo(f"  hence   {', '.join(finding.hidden)}")
        click.echo()
    names = ", ".join(f"{facts.computer or facts.source} ({facts.role})" for facts in machines)
    if not any(finding.severity != "note" for finding in found):
        click.echo(f"nothing wrong that can be seen from {names}")
    else:
        click.echo(f"looked at {names}")
