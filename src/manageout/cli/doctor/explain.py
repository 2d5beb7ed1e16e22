"""``manageout doctor --explain CODE`` and ``--rules``: what codes mean, without any evidence."""

import json
from difflib import get_close_matches

import click

from manageout.cli.show.findings import folded
from manageout.cli.show.output import printable
from manageout.doctor.complaints import about
from manageout.doctor.daemon_findings import daemon_findings
from manageout.doctor.report.page import troubleshooting_text
from manageout.doctor.rules.catalogue import RULES
from manageout.errors import ManageoutError


def explain(code: str, as_json: bool) -> None:
    """Print it. Raises :class:`ManageoutError` for a code that is none."""
    rule = RULES.get(code.strip().upper())
    if rule is None:
        _of_the_daemon(code, as_json)
        return
    hidden_by = sorted(other.code for other in RULES.values() if rule.code in other.hides)
    steps, hides, said = rule.steps(), sorted(rule.hides), about(rule.code)
    if as_json:
        words = {"code": rule.code, "severity": rule.severity, "title": rule.title, "cause": rule.cause}
        lists = {"remedy": steps, "hides": hides, "hidden_by": hidden_by, "said": said}
        click.echo(json.dumps(words | lists, indent=2))
        return
    click.echo(f"{rule.severity} {rule.code}: {rule.title}")
    click.echo(folded("cause", rule.cause))
    for step in steps:
        click.echo(f"  remedy  {step}")
    for one in said:
        click.echo(folded("said", one))
    for label, codes in (("hence", hides), ("unless", hidden_by)):
        if codes:
            click.echo(folded(label, ", ".join(codes)))


def _of_the_daemon(code: str, as_json: bool) -> None:
    """What `status` and `doctor --live` show has its rows on a page of its own."""
    rows = daemon_findings()
    name = code.strip().upper()
    if name not in rows:
        near = get_close_matches(name, [*RULES, *rows], 3, 0.5)
        hint = f"perhaps {', '.join(near)}" if near else "manageout doctor --rules lists the doctor's own"
        raise ManageoutError(f"no finding is called {printable(code)[:60]!r}", hint)
    heading, cause, remedy = rows[name]
    if as_json:
        words = {"code": name, "heading": heading, "cause": cause, "remedy": [remedy]}
        click.echo(json.dumps(words, indent=2))
        return
    click.echo(f"{name}, found by the daemon: {heading}")
    click.echo(folded("cause", cause))
    click.echo(folded("remedy", remedy))
    click.echo(folded("see", "manageout status there: its words name the machines, files and addresses"))


def print_rules(as_json: bool, markdown: bool) -> None:
    """Every rule, or the troubleshooting page."""
    if markdown:
        click.echo(troubleshooting_text(), nl=False)
        return
    if as_json:
        shown = ("code", "severity", "title", "cause")
        rows = [{name: getattr(rule, name) for name in shown} for rule in RULES.values()]
        click.echo(json.dumps(rows, indent=2))
        return
    width = max(map(len, RULES))
    for rule in RULES.values():
        click.echo(f"{rule.code:<{width}}  {rule.severity:<8} {rule.title}")
