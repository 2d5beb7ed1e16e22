"""``manageout status``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from manageout.cli.show.output import COLOURS, ago, duration, moment, printable, reading
from manageout.cli.show.table import Column, table

if TYPE_CHECKING:
    from manageout.service.process.rows import ConfigFile, FindingRow, LinkRow, Status

SOON = 30 * 86400
LINKS: tuple[Column[LinkRow], ...] = (
    Column("LINK", lambda link: link["name"]),
    Column("STATE", lambda link: "up" if link["up"] and link["carrier"] else "DOWN"),
    Column("MTU", lambda link: str(link["mtu"]), right=True),
    Column("ADDRESSES", lambda link: " ".join(link["addresses"]), fold=True),
)
_KNOWN = ("fast_path", "hosts", "clients", "certificate", "listen", "locators", "ready")


def render(status: Status) -> str:
    """What the daemon does and how it fares: roles, links, fast path, certificate, recent drops."""
    since, privileges = status["since"], status["privileges"]
    head = f"manageout {status['version']}  {status['what']}, process {status['pid']}"
    lines = [f"{head}, up {duration(time.time() - since)} (since {moment(since)})"]
    lines += _config(status.get("config"))
    lines += _findings(status["findings"])
    for name, role in status["roles"].items():
        lines += ["", click.style(name, bold=True), *_role(role)]
    if links := status["links"]:
        lines += ["", table(LINKS, links, wide=False)]
    lines += ["", *_drops(status)]
    held = ", ".join(privileges["capabilities"]) or "none"
    lines.append(_line("privileges", held + (", no new ones" if privileges["no_new_privs"] else "")))
    if metrics := status.get("metrics"):
        lines.append(_line("metrics", metrics))
    return "\n".join(lines)


def _line(label: str, value: str) -> str:
    return f"  {label:<14} {value}"


def _config(config: ConfigFile | None) -> list[str]:
    if config is None:
        return []
    lines = [_line("config", f"{config['file']}, loaded {moment(config['loaded'])}")]
    if rejected := config.get("rejected"):
        text = f"REJECTED {ago(rejected['at'])} ago, the old one runs on: {printable(rejected['message'])}"
        lines.append(_line("last reload", click.style(text, fg="red")))
        remedies = [rejected["remedy"]]
        for fault in rejected["faults"]:
            remedies += [fault["what"], "  " + fault["remedy"]]
        lines += [_line("", printable(text)) for text in remedies if text.strip()]
    return lines


def _findings(findings: list[FindingRow]) -> list[str]:
    lines = []
    for found in findings:
        mark = click.style(found["severity"], fg=COLOURS[found["severity"]])
        lines += [
            f"  {mark} {found['code']}: {printable(found['what'])}",
            f"    {printable(found['remedy'])}",
        ]
    return ["", *lines] if lines else []


def _role(role: Mapping[str, Any]) -> list[str]:
    lines = []
    if role.get("ready") is False:
        lines.append(_line("state", click.style("starting", fg="yellow")))
    if fast := role.get("fast_path"):
        off = click.style("off", fg="yellow") + f": {fast.get('reason') or 'no reason given'}"
        lines.append(_line("fast path", "on" if fast.get("on") else off))
    lines += [_line(key, str(role[key])) for key in ("hosts", "clients") if key in role]
    lines += [_line(key, ", ".join(role[key])) for key in ("listen", "locators") if role.get(key)]
    if certificate := role.get("certificate"):
        lines.append(_line("certificate", _certificate(certificate)))
    lines += [_line(key.replace("_", " "), _plain(role[key])) for key in role if key not in _KNOWN]
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "-"
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(str(value))


def _certificate(certificate: Mapping[str, Any]) -> str:
    left = certificate["not_after"] - time.time()
    text = f"{certificate['subject']}, expires {moment(certificate['not_after'])}"
    if left <= 0:
        return click.style(f"{text}: EXPIRED", fg="red")
    return click.style(f"{text}: in {duration(left)}", fg="yellow" if left < SOON else None)


def _drops(status: Status) -> list[str]:
    recent = status["recent_drops"]
    counts = recent["counts"]
    span = duration(recent["seconds"])
    text = ", ".join(f"{reason} {count}" for reason, count in counts.items()) or "none"
    return [_line("drops", f"in the last {span}: {text}")]


status = click.command("status")(reading(render, "status"))
