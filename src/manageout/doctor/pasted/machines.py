"""Of which machine each output of a text is: by the name in it, in its prompt, or in a heading above."""

import re
from collections.abc import Iterable

from manageout.doctor.facts import Facts
from manageout.doctor.pasted.segments import ROLE, Part
from manageout.doctor.pasted.shapes import DOTTED

MAX_MACHINES = 50
"""In one text."""
_ROLE = re.compile(rf"\b(?:{ROLE})$")
"""Lower case, as the segments give it."""
_HOST = re.compile(r"[\w.-]{1,255}")
_NO_HOST = re.compile(
    r"^[^:\uff1a]*(?:dhcp|netbios)|(?:[0-9A-F]{2}-){5,7}[0-9A-F]{2}$|(?:\d{1,3}\.){3}\d{1,3}$|"
    r"^\s+\S.*\.\w*[^\W\d]$", re.I)  # fmt: skip
"""Other lines of ipconfig: a hardware address, an IPv4 address, a suffix (a host's name is one label)."""


class Machines:
    """The machines of a text. ``known``: the first is that of whatever names none."""

    def __init__(self, facts: Facts, others: Iterable[Facts] = ()) -> None:
        self.known = [facts, *others]
        self._source = facts.source
        self._here: dict[str, Facts] = {}
        """By the name in prompts and headings, "" without one."""

    def begin(self, parts: Iterable[Part]) -> None:
        """What stands before the first host name is of that machine too."""
        first = next((name for part in parts if not part.machine and (name := host(part))), "")
        if first:
            self._here[""] = self._named(first)

    def of(self, part: Part) -> Facts:
        """The machine of the next part."""
        name, key = host(part), part.machine.partition(".")[0].lower()
        facts = self._here.get(key)
        if facts is None:
            facts = self._named(name or part.machine)
        elif name and facts.computer and _short(name) != _short(facts.computer):
            facts = self._named(name)
        if name:
            facts.computer = facts.computer or name
        if part.router and facts.role == "unknown":
            facts.role = "server"
        self._here[key] = facts
        return facts

    def _named(self, name: str) -> Facts:
        """That machine, or a new one. ``name``: also a role's, such as "server"."""
        root = self.known[0]
        source = f"{name} in {self._source}"
        for one in self.known:
            if name and (_short(one.computer) == _short(name) or one.source == source):
                return one
        fresh = not (root.understood or root.computer or root.unread or root in self._here.values())
        if fresh or not name or len(self.known) >= MAX_MACHINES:
            facts = root
        else:
            facts = Facts(source, read_at=root.read_at)
            self.known.append(facts)
        if name and not facts.computer and _ROLE.search(name):
            facts.source = source
        elif name and not facts.computer:
            facts.computer = name
        return facts


def host(part: Part) -> str:
    """The name of the machine in an output; "" when it has none."""
    if part.kind == "ipconfig":
        return _of_ipconfig(part.lines)
    if part.kind == "systeminfo":
        name = next((_word(line) for line in part.lines[:3] if ":" in line), "")
        return name if _HOST.fullmatch(name) else ""  # somebody may have filtered the lines
    if part.kind == "hostname" and len(part.lines) == 1:
        return part.lines[0] if _HOST.fullmatch(part.lines[0]) else ""
    return ""


def _of_ipconfig(lines: list[str]) -> str:
    """The first value before the first adapter, in any language."""
    for line in lines[:60]:
        if DOTTED.search(line):
            name = _word(line)
            return (
                name if _HOST.fullmatch(name) and not _NO_HOST.search(line) else ""
            )  # lines may be left out
        if line.endswith((":", "\uff1a")):
            return ""
    return ""


def _word(line: str) -> str:
    return line.replace("\uff1a", ":").partition(":")[2].strip()[:255]


def _short(name: str) -> str:
    return name.partition(".")[0].lower()
