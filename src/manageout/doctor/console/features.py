"""Roles and features of Windows Server, as Server Manager's cmdlets and DISM tell of them, in any language."""

import re

from manageout.doctor.facts import Facts
from manageout.doctor.pasted.segments import Part

_NAME = re.compile(r"\bDirectAccess-VPN\b", re.I)
_UNKNOWN = re.compile(r"NameDoesNotExist|\b0x800f080c\b", re.I)
"""Identifiers of ServerManager's error and of DISM's, which nobody translates."""
_ROW = re.compile(
    r"(?:^|\s)(RemoteAccess|VPN|Routing)(?:\s+(?:Available|Installed|Removed|\w*Pending)\b|\s*$)"
    r"|\[[ x]\].*\s(RemoteAccess|VPN|Routing)\b",
    re.I,
)


def read(facts: Facts, part: Part) -> bool:
    """DirectAccess is none of them: somebody asked for it by name, or the list has the other parts of Remote Access."""
    named = next((line for line in part.lines if _NAME.search(line)), "")
    unknown = next((line for line in part.lines if _UNKNOWN.search(line)), "")
    if unknown and (named or _NAME.search(part.command)):
        facts.no_feature = f"{(named or part.command).strip()} ({_UNKNOWN.findall(unknown)[0]})"
        return True
    rows = [match for line in part.lines if (match := _ROW.search(line))]
    held = {(match[1] or match[2]).lower() for match in rows}
    if not {"remoteaccess", "routing"} <= held:
        return False
    if not named and not _CHOSEN.search(part.command):
        listed = ", ".join(" ".join(match.string.split()) for match in rows[:3])
        facts.no_feature = facts.no_feature or f"no DirectAccess-VPN beside: {listed}"
    return True


_CHOSEN = re.compile(r"get-windowsfeature\s+(?:-name\s+)?[\"']?(?:remoteaccess|routing)\b", re.I)
"""Those that were asked for by name."""
