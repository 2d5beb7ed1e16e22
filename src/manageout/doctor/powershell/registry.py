"""Values of the registry that a cmdlet was asked for and did not find, in any language."""

import re
from collections.abc import Sequence

from manageout.doctor.facts import Facts
from manageout.doctor.pasted.commands import MAX_COMMAND
from manageout.doctor.powershell.cmdlets import REGISTRY, Found

_NAMES = re.compile(
    r"(?:-name\s+|\)\.|\|\s*(?:select(?:-object)?|f[lt]|format-(?:list|table))\s+(?:-(?:expand)?property\s+)?|"
    r"hklm:\S+\s+|[\"']\s+)[\"']?([A-Za-z][\w-]{2,100})[\"']?\s*(?:$|\||-)",
    re.I,
)
"""The value that is asked for, behind the key or in the pipe."""
_FILTER = re.compile(r"\|\s*(?:findstr|find|select-string|sls)\b(?:\s+[-/]\w+)*\s+[\"']?([\w-]{4,100})", re.I)
_NO_KEY = re.compile(r"FullyQualifiedErrorId\s*:\s*PathNotFound|'HKLM:\\[^']{1,300}'.{0,40}does not exist")
_NO_VALUE = re.compile(r"FullyQualifiedErrorId\s*:\s*System\.Management\.Automation\.PSArgument")
_ERROR = re.compile(r"FullyQualifiedErrorId|denied|verweigert|refus|denegado|negato", re.I)
_SAID = re.compile(r"^\s*Get-ItemProperty(?:Value)?\s?: \S")
"""PowerShell 7 prints the message alone."""


def absent(facts: Facts, lines: Sequence[str], command: str, found: Sequence[Found]) -> bool:
    """Keep what ``command`` has looked for in vain: a value by its name, else whatever the key does not list. Whether
    the output is an error that says so."""
    key = REGISTRY.search(command[:MAX_COMMAND])
    gone = any(_NO_KEY.search(line) for line in lines)
    missing = gone or any(_NO_VALUE.search(line) for line in lines)
    missing = missing or (any(map(_SAID.match, lines)) and not any(map(_ERROR.search, lines)))
    if (
        key is None
        or command.lstrip("( ")[:1].lower() != "g"
        or (not missing and any(map(_ERROR.search, lines)))
    ):
        return False
    named = _NAMES.search(command) or _FILTER.search(command)
    name = named[1].lower() if named is not None else ""
    held = {each.lower() for one in found for each, value in one.row.items() if value not in ("", None)}
    empty = gone or missing or (bool(name) and name not in held)
    if empty and (gone or name):
        facts.lack(key[1], "" if gone else name, f"{command.strip()}: not there")
    elif not name and "pspath" in held and "|" not in command:
        facts.lack(key[1], "*", f"{command.strip()}: does not list it")
    return empty
