"""A group policy's object in the directory ([MS-GPOL] 2.2.2) as LDAP's tools, samba-tool and Get-ADObject print it,
and its gpt.ini in SYSVOL: versions, flags, extensions.
"""

import re

from manageout.doctor.facts import Facts, Filtered, PolicyVersion, Seen
from manageout.doctor.pasted.segments import Part

MAX_KEPT = 200
_IDENTIFIER = re.compile(r"\{([0-9A-F]{8}-(?:[0-9A-F]{4}-){3}[0-9A-F]{12})\}", re.I)
_FIELD = re.compile(
    r"^\s*(display ?name|versionnumber|version|flags|gpcmachineextensionnames|gpcfilesyspath|dn|distinguishedname|gpo|"
    r"name|path)\s*[:=]\s*(.*)$",
    re.I,
)
_OFF = re.compile(r"[23]|.*gpo_flag_(?:machine|all)_disable.*", re.I)
"""The second bit switches the computer's half off."""


def read(facts: Facts, part: Part) -> bool:
    """Whether any object is there."""
    if not any("ersion" in line for line in part.lines):
        return False
    found, block, ini = False, list[str](), False
    for line in [*part.lines, ""]:
        ini |= line.strip().lower() == "[general]"
        if line.strip() and not (block and line[:3].lower() == "dn:"):
            block.append(line)
        elif block:
            found |= _object(facts, part.command, block, ini)
            block, ini = [line] if line.strip() else [], False
    return found


def _object(facts: Facts, command: str, block: list[str], ini: bool) -> bool:
    held: dict[str, str] = {}
    for line in block:
        if match := _FIELD.match(line):
            held.setdefault(match[1].lower().replace(" ", ""), match[2].strip())
    number = held.get("version" if ini or "versionnumber" not in held else "versionnumber", "")
    if not (number.isascii() and number.isdecimal() and len(number) < 11):
        return False
    if not (ini or "versionnumber" in held or {"flags", "displayname"} <= held.keys()):
        return False
    named = _IDENTIFIER.search(command if ini else "\n".join(block)) or _IDENTIFIER.search("\n".join(block))
    add(facts, named[1] if named else "", "" if ini else held.get("displayname", ""), int(number), ini)
    if not ini:
        name = held.get("displayname") or (named[0] if named else "a policy")
        if _OFF.fullmatch(held.get("flags", "")):
            facts.filtered.append(Filtered(name, "disabled", f"{name}: flags {held['flags']}"))
        if held.get("gpcmachineextensionnames", "x") in ("", "{}") and not _continued(block):
            facts.extensions.append(Seen(name, f"{name}: no gPCMachineExtensionNames"))
    return True


def _key(one: PolicyVersion) -> tuple[object, ...]:
    return one.number, one.sysvol, one.name or one.identifier


def _continued(block: list[str]) -> bool:
    """Whether the value stands in the next line."""
    return any("35378EAC" in line.upper() for line in block)


def add(facts: Facts, identifier: str, name: str, number: int, ini: bool) -> None:
    """Keep a version, of the directory or of SYSVOL."""
    where = "gpt.ini: Version" if ini else "versionNumber"
    words = f"{name or identifier}: " if name or identifier else ""
    halves = f"user {number >> 16}, computer {number & 0xFFFF}"
    one = PolicyVersion(identifier.lower(), name, number, ini, f"{words}{where} {number} ({halves})")
    if len(facts.policy_versions) < MAX_KEPT and all(
        _key(one) != _key(held) for held in facts.policy_versions
    ):
        facts.policy_versions.append(one)
