"""Batch files with netsh, for machines where PowerShell is not wanted; each with its inverse.

netsh speaks the machine's language, so a script cannot read back what was set: the inverse sets Windows' own
defaults, and the settings of before are kept as text for a person.
"""

import re
from collections.abc import Sequence

from manageout.errors import ManageoutError
from manageout.windows.template import filled


def isatap_on(router: str, computers: Sequence[str] = ()) -> str:
    """Makes the machine, or each of ``computers`` (by PsExec), an ISATAP host of ``router``.

    Raises :class:`ManageoutError` for a name that a batch file would not pass on as it is.
    """
    return _file("isatap-on.cmd", computers, ROUTER=_safe(router))


def isatap_off(computers: Sequence[str] = ()) -> str:
    """Sets Windows' defaults again; names the file with what was set before. Raises as :func:`isatap_on`."""
    return _file("isatap-off.cmd", computers)


def _file(name: str, computers: Sequence[str], **literals: str) -> str:
    body = filled(f"scripts/{name}", **literals).rstrip()
    if computers:
        loop = " ".join(_safe(computer) for computer in computers)
        text = filled("scripts/machines.cmd", COMPUTERS=loop, NAME=name, BODY=body)
    else:
        text = filled("scripts/machine.cmd", BODY=body)
    return text.replace("\n", "\r\n")


def _safe(name: str) -> str:
    """A host name as it stands in a batch file."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}", name):
        raise ManageoutError(f"{name!r} is no host name", "letters, digits, dots and hyphens only")
    return name
