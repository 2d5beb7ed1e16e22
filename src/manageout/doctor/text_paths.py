"""Outputs that are known, and say little that is judged: ping, tracert, pathping, gpresult, certutil, klist."""

from __future__ import annotations

import re

from manageout.doctor.facts import Facts, Lookup
from manageout.doctor.segments import Part
from manageout.doctor.text_names import MAX_LOOKUPS
from manageout.doctor.unread import MAX_NAME

MAX_UNJUDGED = 100
_NO_HOST = re.compile(
    r"could not find host ([\w.-]+?)\.?(?:\s|$)|[Hh]ost \"?([\w.-]+)\"? nicht finden|h[oô]te? ([\w.-]+)|主机 ?([\w.-]+)"
)


def ping(facts: Facts, part: Part) -> bool:
    """A name that was not found. Of a name's addresses it shows one alone, so a success says nothing of the others."""
    for line in part.lines:
        if (match := _NO_HOST.search(line)) and "." in (name := next(filter(None, match.groups()))):
            if len(facts.lookups) < MAX_LOOKUPS:
                facts.lookups.append(Lookup(name.rstrip("."), "", (), line.strip(), line.strip()))
            return True
    return unjudged(facts, part)


def unjudged(facts: Facts, part: Part) -> bool:
    """It is said that the output was seen, and that no rule looks at it."""
    if not part.lines:
        return False
    name = part.command or f"{part.kind}, {part.lines[0].strip()}"
    if len(facts.unread) < MAX_UNJUDGED:
        facts.unread.append(f"{name[:MAX_NAME]}: known, nothing in it is judged")
    return True
