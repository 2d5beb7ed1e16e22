"""Lines of a pasted text -> the outputs of single commands: whose machine, which command, which of its lines.

Where a prompt or the command itself stands before an output, that tells. Where none does, each block of lines is known
by its shape: the heading of a list, the rule below the names of columns, first words that Windows does not translate.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from manageout.doctor.pasted.commands import MAX_COMMAND, NO_MACHINES, alone, elsewhere, kind_of
from manageout.doctor.pasted.lines import PROMPT, UNIX
from manageout.doctor.pasted.shapes import shape_at
from manageout.doctor.powershell.records import GROUPS


class Part(NamedTuple):
    """The output of one command.

    ``command``: as it was typed, without its prompt; empty where none stood there.
    ``lines``: of the output, without blank ones at both ends; in PowerShell's lists a blank line may stand between.
    ``machine``: the name in a remote prompt (``[DA1]: PS C:\\>``) or in a heading (``=== DA1 ===``, ``on the
    server:``); empty for the machine that nobody names.
    ``kind``: whose output it is, of :func:`~manageout.doctor.pasted.commands.kind_of`; ``powershell`` when a
    cmdlet was typed, or when it is a list or table as PowerShell prints them; empty when neither command nor
    shape is known, as for prose.
    ``router``: whether the heading calls the machine a DirectAccess server, a router or a gateway.
    """

    command: str
    lines: list[str]
    machine: str = ""
    kind: str = ""
    router: bool = False


def parts(lines: Sequence[str]) -> Iterator[Part]:
    """``lines`` as :func:`manageout.doctor.read.text.lines` gives them, cut into outputs, in their order.

    A part without a command is cut at blank lines where the shape changes; neighbours of unknown shape stay together.
    Prompts without output give a part without lines.
    """
    heading, router = "", False
    command, machine = "", ""
    held: list[str] = []
    before = ""
    for line in lines:
        typed = _typed(line, before)
        named = "" if typed is not None else _heading(line, before)
        if typed is None and not named:
            held.append(line)
            before = line
            continue
        for part in _cut(command, held, machine):
            yield part._replace(router=router and machine == heading)
        held, before = [], ""
        if typed is None:
            heading, command, machine = named, "", named
            router = _ROUTER.search(line) is not None
        else:
            command, machine = typed[0], typed[1] or heading
    for part in _cut(command, held, machine):
        yield part._replace(router=router and machine == heading)


def _typed(line: str, before: str) -> tuple[str, str] | None:
    """A command and the machine in its prompt, when the line is one: behind a prompt, or alone."""
    if ">" in line and (match := PROMPT.match(line)):
        machine = match["remote"] or (match["at"] or "").rpartition("@")[2].strip()
        there, command = elsewhere(match["command"].strip()[:MAX_COMMAND])
        return command, there or machine
    if (
        ">" in line
        and (match := _NAMED.match(line))
        and match[1].lower() not in _PROGRAMS
        and kind_of(match[2])
    ):
        return elsewhere(match[2].strip()[:MAX_COMMAND])[1], match[1]
    if match := _CONTEXT.match(line):
        return f"{match[1]} {match[2]}", ""
    if ("$" in line or "#" in line) and (match := UNIX.match(line)):
        # From where somebody looks: no machine to be judged.
        return match["command"].strip()[:MAX_COMMAND], ""
    if before.endswith(("|", ",", "`")) or (line[:1] == " " and before):
        return None
    command = alone(line)
    return (command, "") if command else None


_NAMED = re.compile(r"^\s*\[?([A-Za-z][\w.-]{1,60})\]?(?:[: ]+(?:PS|[A-Za-z]:[^>|<\"*?:]{0,200}))?> ?(\S.*)$")
"""A prompt that somebody has made of a machine's name, or of what it is."""
_PROGRAMS = frozenset({"netsh", "nslookup", "ps", "cmd", "diskpart", "ftp", "telnet", "powershell"})
_CONTEXT = re.compile(r"^(netsh(?: [a-z0-9]{2,20}){0,4})>\s?(.{0,200})$")
"""netsh's own prompt, with the context that was entered."""

# --- Machines ---------------------------------------------------------------------------------------------

_FRAMED = re.compile(
    r"^\s*(?:([=\-#*~_<+])\1{1,}|#|\[)\s*(?P<name>[^=#*~<>\[\]]{2,70}?)\s*[=\-#*~_>\]+:]*\s*$"
)
ROLE = (
    r"server|client|gateway|router|manager|helpdesk|console|workstation|laptop|notebook|host|dc|domain controller|"
    r"node ?\d*|pc|machine|dns server|serveur|servidor|cliente|poste|arbeitsplatz|konsole|box|station|equipo|portátil|"
    r"portable|ordinateur|rechner|routeur|serwer|vm"
)
"""What a heading calls a machine without a name."""
_ROUTER = re.compile(
    r"^(?!.*(?:client|laptop|notebook|helpdesk|manager|workstation|\bpcs?\b|host|portable|portátil))"
    r".*(?:\b(?:da|directaccess|isatap)\b|router|gateway)",
    re.IGNORECASE,
)
_ON = re.compile(
    r"^(?!.*\b(?:wrote|schrieb|a écrit|escribió)\b)(?:(?:and|then|but|und|dann|et|puis|y)\s+)?"
    r"(?:on|from|at|auf|am|vom|von|sur|depuis|en|desde|del)\s+(?:(?:the|a|my|our|dem|der|den|le|la|el)\s+)?"
    rf"(?P<role>(?:[\w-]+[\s-]+){{0,2}}(?:{ROLE}))?(?P<comma>,)?\s*\(?(?P<name>[A-Za-z0-9][\w.-]{{1,60}})?\)?"
    r"\s*(?:\([^()]{1,60}\))?(?P<more>(?:,? [\w'-]{1,14}){0,6})\s*:$",
    re.IGNORECASE,
)
"""A machine's role, name or both at the beginning of a short sentence: "and on the DA server (2012 R2) I see:"."""
_ALONE = re.compile(
    r"^(?:(?:and|und|et|y|here(?: is|'s)?|this is|das ist|hier(?: ist)?|voici|aquí está)\s+)*"
    r"(?:(?:the|our|my|der|die|das|unser|mein|le|la|el|notre|nuestro)\s+)?(?P<role>"
    r"(?:(?:DA|DirectAccess|ISATAP|helpdesk|help desk|management|mgmt|admin|support|test|remote|user'?s|windows|win|"
    rf"\d{{1,2}})[ -]?){{0,3}}(?:{ROLE})(?: (?:DA|DirectAccess|ISATAP))?)(?:,?\s+\(?(?P<name>[\w.-]{{2,60}})\)?)?"
    r"\s*(?:\([^()]{1,60}\)\s*)?:$",
    re.I,
)
_TOLD = re.compile(
    r"^(?:computer|machine|host|hostname|pc|workstation|node)\s?: ?([\w.-]{2,60})(?: \(.{1,80}\))?$",
    re.IGNORECASE,
)
_NAME = re.compile(r"^(?=.*[\d-]|[A-Z]{3})[A-Za-z][A-Za-z0-9-]{1,14}(?:\.[\w-]+){0,8}$")


def _heading(line: str, before: str) -> str:
    """The machine that a heading names, in few words; "" when it is none."""
    if not line or len(line) > 90 or ". ." in line:
        return ""
    if match := _FRAMED.match(line):
        words = match["name"].strip(" :-")
        inner = _ON.match(f"{words}:") or _ALONE.match(f"{words}:")
        if inner is not None:
            return _named(inner)
        name = words.partition(" (")[0].rpartition(": ")[2]
        return name if _is_name(name) else ""
    transcript = line.endswith(")") and "(Microsoft Windows" in line
    if (transcript or not before) and (match := _TOLD.match(line)) and _is_name(match[1]):
        return match[1]
    if not line.endswith(":") or line[0].isspace():
        return ""
    if match := _ON.match(line) or (None if before else _ALONE.match(line)):
        return _named(match)
    return line[:-1] if not before and _is_name(line[:-1]) else ""


def _named(match: re.Match[str]) -> str:
    name = match["name"] or ""
    words = match.groupdict()
    sentence = words.get("more") and (not match["role"] or words.get("comma"))  # "On Wi-Fi I get this:"
    if _is_name(name) and (not sentence or re.search(r"\d", name)):
        return name
    return (match["role"] or "").lower().removeprefix("the ") if match["role"] else ""


def _is_name(word: str) -> bool:
    return _NAME.match(word) is not None and word.lower() not in NO_MACHINES and not _SYSTEM.fullmatch(word)


_SYSTEM = re.compile(r"win(?:dows)?-?(?:\d{1,2}|20\d\d)(?:-?\d\dh\d)?", re.IGNORECASE)
"""Of which kind a machine is, such as Win10 or Windows-11."""


# --- Blocks -----------------------------------------------------------------------------------------------


_WHOLE = frozenset(
    {"ipconfig", "ipv4", "isatap", "iphttps", "teredo", "interface", "interfaces", "routes", "policies", "addresses",
     "sc"}
)  # fmt: skip
"""Outputs each of whose blocks is known by its shape."""
_LONG = frozenset({"gpresult", "pfirewall", "unjudged"})
"""Outputs of many blocks, whose shapes are everybody's; they end where another clearly begins."""
_CLEAR = frozenset(
    {"tracert", "ping", "reg", "sc", "route", "certutil", "klist", "w32tm", "routes", "interfaces"}
)


def _cut(command: str, lines: list[str], machine: str) -> Iterator[Part]:
    """The output of ``command``, and what stands behind it that is clearly another's."""
    kind = kind_of(command)
    held: list[str] = []
    begun = False
    for number, line in enumerate(lines):
        header = kind == "powershell" and line.endswith(":") and not line[0].isspace()
        if line and (not kind or header or not number or not lines[number - 1]):
            found, fresh = shape_at(lines, number)
            ended = begun and kind in _WHOLE  # whatever comes now is another's, though nobody says whose
            stays = not found and (kind == "powershell" or (bool(command) and not ended))
            stays = stays or (kind == "displaydns" and found == "ipconfig")
            stays = stays or (kind in _LONG and found != kind and not fresh and found not in _CLEAR)
            stays = stays or (kind in ("interface", "reg") and found == "powershell" and not begun)
            stays = stays or (kind == "fetched" and found == "powershell")
            if found == "powershell" and not kind and _heads(held):
                kind = found
            if (found == kind and fresh and begun) or (found != kind and not stays):
                yield from _part(command, held, machine, kind)
                command, held, kind, begun = "", [], found, False
            begun = begun or (bool(found) and found == kind)
        held.append(line)
    yield from _part(command, held, machine, kind)


def _heads(lines: list[str]) -> bool:
    """The heading of a group of PowerShell's, which stands alone above its table."""
    words = [line.strip() for line in lines if line]
    return len(words) == 1 and words[0].partition(": ")[0] in GROUPS


def _part(command: str, lines: list[str], machine: str, kind: str) -> Iterator[Part]:
    start, end = 0, len(lines)
    while start < end and not lines[start]:
        start += 1
    while end > start and not lines[end - 1]:
        end -= 1
    if command or start < end:
        yield Part(command, lines[start:end], machine, kind)
