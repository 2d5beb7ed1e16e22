"""``manageout check``."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import get_args

import click

from manageout.cli.options import options
from manageout.cli.show.output import COLOURS
from manageout.errors import ConfigError, ManageoutError
from manageout.service.check.check import check as run_checks
from manageout.service.check.found import Remark
from manageout.service.process.client import ask
from manageout.site.contradictions import read_site
from manageout.site.lines import line_of
from manageout.site.reference import reference_text
from manageout.site.tables.site import Site
from manageout.words import counted

_OPTION = re.compile(r"(?<![\w.-])([a-z0-9]+)\.([a-z_]+)(?:\.[\w-]+)*")


@click.command()
@options("check")
@click.pass_context
def check(ctx: click.Context, file: Path, runtime_dir: Path | None, as_json: bool, reference: bool) -> None:
    """Validate the site file, and hold it against this machine. Changes nothing.

    Every finding comes with its remedy. Exits with 1 when there is an error or a warning; notes do not count.
    """
    if reference:
        click.echo(reference_text(), nl=False)
        return
    try:
        site, plan = read_site(file)
        results = run_checks(site, plan, runtime_dir, _roles(runtime_dir or site.daemon.runtime_dir))
    except ConfigError as error:
        if not as_json:
            raise
        rows = [
            {"check": fault.path, "severity": "error", "message": fault.message, "remedy": fault.hint}
            | _place(file, fault.path)
            for fault in error.faults
        ]
        click.echo(json.dumps(rows, indent=2))
        ctx.exit(1)
    findings = [finding for _, found in results for finding in found]
    if as_json:
        rows = [
            {"check": title, **finding._asdict()} | _place(file, _named(finding))
            for title, found in results
            for finding in found
        ]
        click.echo(json.dumps(rows, indent=2))
    else:
        click.echo("\n".join(line for title, found in results for line in _lines(file, title, found)))
        click.echo(_summary(findings))
    ctx.exit(1 if any(finding.severity != "note" for finding in findings) else 0)


def _roles(directory: Path) -> list[str]:
    """Of the running daemon; none when it does not answer."""
    try:
        return list(ask(directory / "control.sock", "status")["roles"])
    except (ManageoutError, LookupError, TypeError):
        return []


def _named(finding: Remark) -> str:
    """The option of the site file that a finding is about: the first that it names. A host's name may look like one."""
    for text in (finding.message, finding.remedy):
        for match in _OPTION.finditer(text):
            field = Site.model_fields.get(match[1])
            kinds = (field.annotation, *get_args(field.annotation)) if field is not None else ()
            if any(match[2] in getattr(kind, "model_fields", {}) for kind in kinds):
                return match[0]
    return ""


def _place(file: Path, path: str) -> dict[str, int]:
    """In which line of the file it stands, if it does."""
    line = line_of(file, path) if path else 0
    return {"line": line} if line else {}


def _lines(file: Path, title: str, found: list[Remark]) -> list[str]:
    if not found:
        return [f"{click.style('ok', fg='green')}       {title}"]
    lines = []
    for finding in found:
        mark = click.style(f"{finding.severity:<8}", fg=COLOURS[finding.severity])
        line = _place(file, _named(finding)).get("line")
        where = f" (line {line})" if line else ""
        lines.append(f"{mark} {title}: {finding.message}{where}")
        if finding.remedy:
            lines.append(f"           {finding.remedy}")
    return lines


def _summary(findings: list[Remark]) -> str:
    counts: Counter[str] = Counter(finding.severity for finding in findings)
    words = [counted(counts[severity], severity) for severity in COLOURS if counts[severity]]
    return f"\n{', '.join(words) or 'nothing found'}"
