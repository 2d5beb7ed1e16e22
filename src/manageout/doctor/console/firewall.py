"""``netsh advfirewall firewall show rule``: inbound rules that allow. Labels in English; in other languages settings
are known by their order, which is the same in all.
"""

import re
from collections.abc import Iterator
from itertools import islice, pairwise

from manageout.doctor.console import netsh as text_netsh
from manageout.doctor.console import settings as netsh
from manageout.doctor.console.settings import MAX_ROWS
from manageout.doctor.facts import Facts, Seen
from manageout.doctor.languages import either
from manageout.doctor.pasted.segments import Part
from manageout.doctor.pasted.shapes import RULE
from manageout.doctor.read.sections import Row, add_rules
from manageout.windows.deployment import is_dns64
from manageout.windows.text import ipv6_address

MAX_WORDS = 64
"""Ports or addresses of one rule."""


def read(facts: Facts, part: Part) -> bool:
    """Rules, or what else ``advfirewall`` shows."""
    blocks = list(islice(_blocks(part.lines), MAX_ROWS)) or list(islice(_foreign(part.lines), MAX_ROWS))
    if not blocks:
        return text_netsh.other(facts, part) or _none(facts, part)
    facts.firewall = facts.firewall or []  # none that lets anybody in is something too
    add_rules(facts, (row for block in blocks if (row := _row(block)) is not None))
    for block in blocks:
        name, (local, text) = block["rule name"][0], block.get("localip", ("", ""))
        if found := tuple(filter(is_dns64, map(ipv6_address, _words(local)))):
            facts.dns64_rules[name] = Seen(found, f"firewall rule {name}: {text}")
    if "name=all" in part.command.lower().replace('"', ""):
        facts.sections |= {"rules"}  # all of them: what is not there is not there
    return True


def _none(facts: Facts, part: Part) -> bool:
    """One line, in whatever language, instead of the rules of a name: there is none."""
    match = _NAMED.search(part.command)
    said = [line.strip() for line in part.lines if line.strip()]
    if match is None or len(said) != 1 or match[1].lower() == "all":
        return False
    facts.nothing[f"rule:{match[1].lower()}"] = f"{part.command}: {said[0]}"
    return True


_NAMED = re.compile(
    r"firewall\s+show\s+rule\s+name\s?=\s?[\"']?([^\"'=]{1,100}?)[\"']?\s*(?:dir=.*|verbose.*|profile=.*)?$",
    re.I,
)


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


_ORDER = ("enabled", "direction", "profiles", "grouping", "localip", "remoteip", "protocol")
_PORTS = ("localport", "remoteport")


def _foreign(lines: list[str]) -> Iterator[dict[str, tuple[str, str]]]:
    """The same in another language: below a title and a rule, in netsh's order; a description may stand first."""
    starts = [n for n, (line, rule) in enumerate(pairwise(lines)) if ":" in line and RULE.match(rule)]
    for start, end in pairwise([*starts[:MAX_ROWS], len(lines)]):
        title, *held = netsh.settings(lines[start:end])
        while held and either(held[0].value, "published", "unpublished") is None:
            held = held[1:]
        if len(held) < len(_ORDER) + 2:
            continue
        words = dict(zip(_ORDER, held, strict=False))
        rest = held[len(_ORDER) :]
        if words["protocol"].value.upper() in ("TCP", "UDP"):
            words |= zip(_PORTS, rest, strict=False)
            rest = rest[len(_PORTS) :]
        block = {label: (one.value, one.text) for label, one in words.items()}
        block |= {
            "rule name": (title.value, title.text),
            "action": (_word(_BLOCKS, held[-1].value, "block", "allow"), ""),
        }
        block["enabled"] = (
            ("no", "yes")[either(words["enabled"].value, "published", "unpublished") is True],
            "",
        )
        block["direction"] = (_word(_OUT, words["direction"].value, "out", "in"), "")
        block["profiles"] = (",".join(map(_profile, words["profiles"].value.split(","))), "")
        if rest[:-1]:
            block["edge traversal"] = (
                "no" if either(rest[0].value, "published", "unpublished") is False else "yes",
                "",
            )
        yield block


def _word(pattern: re.Pattern[str], value: str, yes: str, no: str) -> str:
    return yes if pattern.search(value) else no


def _profile(word: str) -> str:
    return next((name for name, pattern in _PROFILES.items() if pattern.match(word.strip())), "Public")


_BLOCKS = re.compile(r"blo[ck]|sperr|spær|блок|阻止|封鎖|ブロック|차단|tilt|estä|engelle", re.I)
_OUT = re.compile(r"out|ausg|sort|sal[ií]|saíd|usci|uitg|wyc|odch|исх|出|送信|아웃|utg|udg|kimen|giden", re.I)
_PROFILES = {
    "Domain": re.compile(r"dom|дом|域|網域|ドメイン|도메인|tartom|toim|etki", re.I),
    "Private": re.compile(r"pri?[vy]|partic|част|专|專|私|プラ|개인|magán|yksit|özel|soukr", re.I),
}


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
        "Authentication": values.get("security"),
    }


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()][:MAX_WORDS]
