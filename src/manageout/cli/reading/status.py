"""``manageout status``."""

from __future__ import annotations

import time
from typing import Any

import click

from manageout.cli.show.fitted import fitted
from manageout.cli.show.output import ago, duration, moment, printable, reading

SOON = 30 * 86400
_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
_KNOWN = ("fast_path", "hosts", "clients", "certificate", "listen", "locators", "ready")


def render(status: dict[str, Any]) -> str:
    """What the daemon does and how it fares: roles, links, fast path, certificate, recent drops."""
    since = status.get("since")
    head = (
        f"manageout {status.get('version', '')}  {status.get('what', 'daemon')}, process {status.get('pid')}"
    )
    lines = [f"{head}, up {duration(time.time() - since) if since else '?'} (since {moment(since)})"]
    lines += _config(status.get("config"))
    lines += _findings(status.get("findings", []))
    for name, role in status.get("roles", {}).items():
        lines += ["", click.style(name, bold=True), *_role(role)]
    if links := status.get("links"):
        lines += ["", _links(links)]
    lines += ["", *_drops(status)]
    if privileges := status.get("privileges"):
        held = ", ".join(privileges["capabilities"]) or "none"
        lines.append(_line("privileges", held + (", no new ones" if privileges["no_new_privs"] else "")))
    if metrics := status.get("metrics"):
        lines.append(_line("metrics", metrics))
    return "\n".join(lines)


def _line(label: str, value: str) -> str:
    return f"  {label:<14} {value}"


def _config(config: dict[str, Any] | None) -> list[str]:
    if config is None:
        return []
    lines = [_line("config", f"{config['file']}, loaded {moment(config['loaded'])}")]
    if rejected := config.get("rejected"):
        text = f"REJECTED {ago(rejected['at'])} ago, the old one runs on: {printable(rejected['message'])}"
        lines.append(_line("last reload", click.style(text, fg="red")))
        for told in (rejected, *rejected.get("faults", ())):
            lines += [_line("", printable(told["what"]))] if "what" in told else []
            lines += [_line("", "  " + printable(told["remedy"]))] if told.get("remedy") else []
    return lines


def _findings(findings: list[dict[str, Any]]) -> list[str]:
    lines = []
    for found in findings:
        mark = click.style(found["severity"], fg=_COLOURS[found["severity"]])
        lines += [
            f"  {mark} {found['code']}: {printable(found['what'])}",
            f"    {printable(found['remedy'])}",
        ]
    return ["", *lines] if lines else []


def _role(role: dict[str, Any]) -> list[str]:
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


def _certificate(certificate: dict[str, Any]) -> str:
    left = certificate["not_after"] - time.time()
    text = f"{certificate['subject']}, expires {moment(certificate['not_after'])}"
    if left <= 0:
        return click.style(f"{text}: EXPIRED", fg="red")
    return click.style(f"{text}: in {duration(left)}", fg="yellow" if left < SOON else None)


def _links(links: list[dict[str, Any]]) -> str:
    rows = [
        (
            link["name"],
            "up" if link["up"] and link["carrier"] else "DOWN",
            str(link["mtu"]),
            " ".join(link["addresses"]),
        )
        for link in links
    ]
    return fitted(("LINK", "STATE", "MTU", "ADDRESSES"), rows, right=(2,), fold="ADDRESSES")


def _drops(status: dict[str, Any]) -> list[str]:
    recent = status.get("recent_drops")
    if recent is None:
        return []
    counts = recent["counts"]
    span = duration(recent["seconds"])
    text = ", ".join(f"{reason} {count}" for reason, count in counts.items()) or "none"
    return [_line("drops", f"in the last {span}: {text}")]


status = click.command("status")(reading(render, "status"))
