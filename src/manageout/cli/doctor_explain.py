"""``manageout doctor --explain CODE``: what a code means, without any evidence."""

from __future__ import annotations

import json
from difflib import get_close_matches

import click

from manageout.cli.findings import folded
from manageout.cli.output import printable
from manageout.doctor import rules
from manageout.doctor.complaints import about
from manageout.doctor.findings import RULES
from manageout.errors import ManageoutError


def explain(code: str, as_json: bool) -> None:
    """Print it. Raises :class:`ManageoutError` for a code that is none."""
    assert rules.__all__  # importing it registers them
    rule = RULES.get(code.upper())
    if rule is None:
        near = get_close_matches(code.upper(), RULES, 3, 0.5)
        hint = f"perhaps {', '.join(near)}" if near else "manageout doctor --rules lists them all"
        hint += "; what the daemon finds is in docs/reference/findings.md"
        raise ManageoutError(f"no rule is called {printable(code)[:60]!r}", hint)
    hidden_by = sorted(other.code for other in RULES.values() if rule.code in other.hides)
    said = about(rule.code)
    if as_json:
        words = {"code": rule.code, "severity": rule.severity, "title": rule.title, "cause": rule.cause}
        lists = {"remedy": rule.remedy, "hides": sorted(rule.hides), "hidden_by": hidden_by, "said": said}
        click.echo(json.dumps(words | lists, indent=2))
        return
    click.echo(f"{rule.severity} {rule.code}: {rule.title}")
    click.echo(folded("cause", rule.cause))
    for step in rule.remedy:
        click.echo(f"  remedy  {step}")
    for one in said:
        click.echo(folded("said", one))
    if rule.hides:
        click.echo(folded("hence", ", ".join(sorted(rule.hides))))
    if hidden_by:
        click.echo(folded("unless", ", ".join(hidden_by)))
