"""What an output is called that nobody could read, so that it is told. Prose is none."""

import re

from manageout.doctor.pasted.commands import TITLES
from manageout.doctor.pasted.segments import Part

MAX_NAME = 100
"""Characters of a command or of a first line."""
_MAIL = re.compile(
    r"(?:from|to|cc|sent|date|subject|von|an|gesendet|betreff|de|à|objet|para|asunto)\s?: ", re.I
)


def name(part: Part) -> str:
    """The command; or what it looks like, with its first line; "" for prose and for no output at all."""
    if not any(part.lines):
        return ""
    if part.command:
        return part.command[:MAX_NAME]
    first = next(line.strip() for line in part.lines if line)[:MAX_NAME]
    if part.kind == "ipconfig" and len(part.lines) == 1:
        return ""  # the heading alone: what is below it was another's
    if part.kind == "powershell" and _MAIL.match(first):
        return ""
    if "transcript start" in first.lower():
        return ""
    if part.kind:
        return f"what looks like {TITLES.get(part.kind, part.kind)}: {first}"
    return f"what begins with {first!r}" if _is_output(part.lines) else ""


def _is_output(lines: list[str]) -> bool:
    """Whether two lines at least are settings, or stand in columns."""
    count = 0
    for line in lines:
        if not line or _MAIL.match(line):
            continue
        setting = _SETTING.search(line) and not line.endswith((".", "?", "!"))
        count += bool(setting and len(line.partition(":")[0].split()) < 6) or bool(_COLUMNS.search(line))
        if count > 1:
            return True
    return False


_SETTING = re.compile(r"\S {0,40}[:=] {1,40}\S")
_COLUMNS = re.compile(r"[^\s.!?,;:] {2,}\S")
"""Two blanks behind a sentence are none."""
