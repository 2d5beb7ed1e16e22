"""Batch files with netsh, for machines where PowerShell is not wanted; each with its inverse.

netsh speaks the machine's language, so a script cannot read back what was set: the inverse sets Windows' own
defaults, and the settings of before are kept as text for a person.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from manageout.errors import ManageoutError

_KEPT = r"%ProgramData%\Manageout"
_HEAD = ("@echo off", "setlocal", "net session >nul 2>&1 || (echo Run this as administrator. & exit /b 4)")


def isatap_on(router: str, computers: Sequence[str] = ()) -> str:
    """Makes the machine, or each of ``computers`` (by PsExec), an ISATAP host of ``router``.

    Raises :class:`ManageoutError` for a name that a batch file would not pass on as it is.
    """
    steps = [
        f'if not exist "{_KEPT}" mkdir "{_KEPT}"',
        f'if not exist "{_KEPT}\\isatap-before.txt" (netsh interface isatap show state & '
        f'netsh interface isatap show router) > "{_KEPT}\\isatap-before.txt"',
        f"netsh interface isatap set router name={_safe(router)} state=enabled || exit /b 1",
        "netsh interface isatap set state state=enabled || exit /b 1",
        *_RESTART,
        f"echo %COMPUTERNAME%: ISATAP is enabled with {_safe(router)}",
    ]
    return _file(steps, computers, "isatap-on.cmd")


def isatap_off(computers: Sequence[str] = ()) -> str:
    """Sets Windows' defaults again; names the file with what was set before. Raises as :func:`isatap_on`."""
    steps = [
        "netsh interface isatap set router name=default state=default || exit /b 1",
        "netsh interface isatap set state state=default || exit /b 1",
        *_RESTART,
        "echo %COMPUTERNAME%: ISATAP has Windows' defaults again",
        f'if exist "{_KEPT}\\isatap-before.txt" echo What was set before stands in '
        f'"{_KEPT}\\isatap-before.txt".',
    ]
    return _file(steps, computers, "isatap-off.cmd")


_RESTART = (
    "net stop iphlpsvc >nul 2>&1",
    "net start iphlpsvc >nul || exit /b 1",
)


def _file(steps: Sequence[str], computers: Sequence[str], name: str) -> str:
    if not computers:
        return "\r\n".join((*_HEAD, *steps, "exit /b 0", ""))
    loop = " ".join(_safe(computer) for computer in computers)
    lines = [
        "@echo off",
        "setlocal",
        'if /i "%~1"=="here" goto here',
        "set failed=0",
        f"for %%C in ({loop}) do (",
        f'    psexec -accepteula -nobanner \\\\%%C -s -c -f "%~f0" here || (echo {name} failed on %%C & set failed=1)',
        ")",
        "exit /b %failed%",
        ":here",
    ]
    return "\r\n".join((*lines, *_HEAD[2:], *steps, "exit /b 0", ""))


def _safe(name: str) -> str:
    """A host name as it stands in a batch file."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}", name):
        raise ManageoutError(f"{name!r} is no host name", "letters, digits, dots and hyphens only")
    return name
