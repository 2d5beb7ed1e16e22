"""``netsh advfirewall firewall show rule``: inbound rules that allow. Labels in English; others stay unread."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from manageout.doctor.console import netsh as text_netsh
from manageout.doctor.console import settings as netsh
from manageout.doctor.console.settings import MAX_ROWS
from manageout.doctor.facts import Facts
from manageout.doctor.pasted.segments import Part
from manageout.doctor.read.sections import Row, add_rules

MAX_WORDS = 64
"""Ports or addresses of one rule."""


def read(facts: Facts, part: Part) -> bool:
    """Rules, or what else ``advfirewall`` shows."""
    blocks = list(islice(_blocks(part.lines), MAX_ROWS))
    if not blocks:
        return text_netsh.other(facts, part)
    facts.firewall = facts.firewall or []  # none that lets anybody in is something too
    add_rules(facts, (row for block in blocks if (row := _row(block)) is not None))
    if "name=all" in part.command.lower().replace('"', ""):
        facts.sections |= {"rules"}  # all of them: what is not there is not there
    return True


def _blocks(lines: list[str]) -> Iterator[dict[str, tuple[str, str]]]:
    """Label in lower case -> value, line; of each rule."""
    block: dict[str, tuple[str, str]] = {}
    for setting in netsh.settings(lines):
        label = setting.label.lower()
        if label == "rule name":
            if "action" in block:
                yield block
            block = {}
        if block or label == "rule name":
            block.setdefault(label, (setting.value, setting.text))
    if "action" in block:
        yield block


def _row(block: dict[str, tuple[str, str]]) -> Row | None:
    """One that is enabled, inbound, and allows, as the collector has it."""
    values = {label: value for label, (value, _) in block.items()}
    wanted = (("enabled", "yes"), ("direction", "in"), ("action", "allow"))
    if any(values.get(label, value).lower() != value for label, value in wanted):
        return None
    profiles = {word.strip().lower() for word in values.get("profiles", "").split(",")}
    return {
        "Name": values["rule name"],
        "Protocol": values.get("protocol", ""),
        "LocalPort": _words(values.get("localport", "")),
        "RemoteAddress": _words(values.get("remoteip", "")),
        "Profile": "Any" if profiles >= {"domain", "private", "public"} else values.get("profiles", ""),
        "EdgeTraversalPolicy": values.get("edge traversal"),
    }


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()][:MAX_WORDS]
