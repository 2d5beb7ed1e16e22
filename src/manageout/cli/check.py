"""``manageout check``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from manageout.cli.run import config_option
from manageout.errors import ConfigError

if TYPE_CHECKING:
    from manageout.service.check import Finding

_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


@click.command()
@config_option
@click.option(
    "--runtime-dir",
    type=click.Path(path_type=Path),
    envvar="MANAGEOUT_RUNTIME_DIR",
    help="Instead of daemon.runtime_dir of the file.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.option("--reference", is_flag=True, help="Print every option of a site file instead; needs no file.")
@click.pass_context
def check(ctx: click.Context, file: Path, runtime_dir: Path | None, as_json: bool, reference: bool) -> None:
    """Validate the site file, and hold it against this machine. Changes nothing.

    Every finding comes with its remedy. Exits with 1 when there is an error or a warning; notes do not count.
    """
    if reference:
        from manageout.reference import reference_text

        click.echo(reference_text(), nl=False)
        return
    from manageout.service.check import check as run_checks
    from manageout.site import read_site

    try:
        results = run_checks(*read_site(file), runtime_dir)
    except ConfigError as error:
        if not as_json:
            raise
        rows = [
            {"check": fault.path, "severity": "error", "message": fault.message, "remedy": fault.hint}
            for fault in error.faults
        ]
        click.echo(json.dumps(rows, indent=2))
        ctx.exit(1)
    findings = [finding for _, found in results for finding in found]
    if as_json:
        rows = [{"check": title, **finding._asdict()} for title, found in results for finding in found]
        click.echo(json.dumps(rows, indent=2))
    else:
        click.echo("\n".join(line for title, found in results for line in _lines(title, found)))
        click.echo(_summary(findings))
    ctx.exit(1 if any(finding.severity != "note" for finding in findings) else 0)


def _lines(title: str, found: list[Finding]) -> list[str]:
    if not found:
        return [f"{click.style('ok', fg='green')}       {title}"]
    lines = []
    for finding in found:
        mark = click.style(f"{finding.severity:<8}", fg=_COLOURS[finding.severity])
        lines.append(f"{mark} {title}: {finding.message}")
        if finding.remedy:
            lines.append(f"           {finding.remedy}")
    return lines


def _summary(findings: list[Finding]) -> str:
    counts = [
        f"{number} {severity}{'s' if number != 1 else ''}"
        for severity in _COLOURS
        if (number := sum(finding.severity == severity for finding in findings))
    ]
    return f"\n{', '.join(counts) or 'nothing found'}"
