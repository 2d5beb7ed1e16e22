"""The batch files, word for word."""

from __future__ import annotations

import pytest

from manageout.errors import ManageoutError
from manageout.windows import netsh

ON = r"""@echo off
setlocal
net session >nul 2>&1 || (echo Run this as administrator. & exit /b 4)
if not exist "%ProgramData%\Manageout" mkdir "%ProgramData%\Manageout"
if not exist "%ProgramData%\Manageout\isatap-before.txt" (netsh interface isatap show state & netsh interface isatap show router) > "%ProgramData%\Manageout\isatap-before.txt"
netsh interface isatap set router name=r.corp.example state=enabled || exit /b 1
netsh interface isatap set state state=enabled || exit /b 1
net stop iphlpsvc >nul 2>&1
net start iphlpsvc >nul || exit /b 1
echo %COMPUTERNAME%: ISATAP is enabled with r.corp.example
exit /b 0
"""  # noqa: E501


def test_on() -> None:
    assert netsh.isatap_on("r.corp.example") == ON.replace("\n", "\r\n")


def test_off_is_windows_own_default() -> None:
    text = netsh.isatap_off()
    assert "netsh interface isatap set router name=default state=default" in text
    assert "netsh interface isatap set state state=default" in text


def test_a_list_of_machines() -> None:
    lines = netsh.isatap_on("r.corp.example", ["pc1", "pc2"]).split("\r\n")
    assert "for %%C in (pc1 pc2) do (" in lines
    assert lines.index(":here") < lines.index("netsh interface isatap set state state=enabled || exit /b 1")


@pytest.mark.parametrize("name", ["", "a b", "a&b", "%x%", "a\nb", "-x", "a" * 300])
def test_names_that_a_batch_file_would_take_apart(name: str) -> None:
    with pytest.raises(ManageoutError):
        netsh.isatap_on(name)
    with pytest.raises(ManageoutError):
        netsh.isatap_off([name])
