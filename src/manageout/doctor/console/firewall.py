"""``netsh advfirewall firewall show rule``: inbound rules that allow. Labels in English; others stay unread."""

from __future__ import annotations

from collections.abc import Iterator

from manageout.doctor.console import netsh as text_netsh
from manageout.doctor.console import settings as netsh
from manageout.doctor.console.settings import MAX_ROWS
from manageout.doctor.facts import Facts, FirewallRule
from manageout.doctor.pasted.segments import Part

MAX_WORDS = 64
"""Ports or addresses of one rule."""


def read(facts: Facts, part: Part) -> bool:
    """Rules, or what else ``advfirewall`` shows."""
    blocks = list(_blocks(part.lines))
    if not blocks:
        return text_netsh.other(facts, part)
    rules = facts.firewall or []
    rules += [rule for block in blocks if (rule := _rule(block)) is not None][: max(0, MAX_ROWS - len(rules))]
    facts.firewall = rules
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


def _rule(block: dict[str, tuple[str, str]]) -> FirewallRule | None:
    """One that is enabled, inbound, and allows."""
    values = {label: value for label, (value, _) in block.items()}
    wanted = (("enabled", "yes"), ("direction", "in"), ("action", "allow"))
    if any(values.get(label, value).lower() != value for label, value in wanted):
        return None
    name, remote = values["rule name"], values.get("remoteip", "")
    edge = values.get("edge traversal", "").lower()
    profiles = frozenset(word.strip().lower() for word in values.get("profiles", "").split(","))
    shown = ", ".join(
        text
        for label in ("profiles", "remoteip", "edge traversal")
        if (text := block.get(label, ("", ""))[1])
    )
    everywhere = profiles >= {"domain", "private", "public"}
    return FirewallRule(
        values.get("protocol", ""),
        tuple(_words(values.get("localport", ""))),
        profiles | {"any"} if everywhere else profiles,
        tuple(_words(remote)),
        None if not edge else edge not in ("no", "block"),
        f"firewall rule {name!r}: {' '.join(shown.split())}",
        name,
    )


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()][:MAX_WORDS]
