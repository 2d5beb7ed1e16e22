"""Which output stands below a command, and which lines are commands at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manageout.doctor.pasted.commands import alone, elsewhere, kind_of
from manageout.doctor.read.pasted import READERS


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("ipconfig", "ipconfig"), ("IPCONFIG.EXE /all", "ipconfig"), ("ipconfig /displaydns", "displaydns"),
        ("C:\\Windows\\System32\\ipconfig.exe /all", "ipconfig"), ("ipconfig /all | more", "ipconfig"),
        ("netsh int isa sh st", "isatap"), ("netsh interface isatap show router", "isatap"),
        ("netsh interface ipv6 isatap show state", "isatap"), ("netsh int ter sh st", "teredo"),
        ("netsh interface httpstunnel show interfaces", "iphttps"), ("netsh int http sh int", "iphttps"),
        ("netsh interface ipv6 show interfaces", "interfaces"), ("netsh int ipv6 sh int", "interfaces"),
        ("netsh int ipv6 show int 15", "interface"), ("netsh interface ipv6 show interface 15", "interface"),
        ("netsh interface ipv6 show interfaces level=verbose", "interface"),
        ("netsh interface ipv6 show route", "routes"), ("netsh int ipv6 sh pref", "policies"),
        ("netsh interface ipv6 show addresses", "addresses"), ("netsh namespace show effectivepolicy", "namespace"),
        ("netsh advfirewall show allprofiles", "advfirewall"), ("netsh interface clat show state", "clat"),
        ("netsh winhttp show proxy", "netsh"), ("netsh -r DA1 interface isatap show state", "isatap"),
        ("nslookup isatap.corp.example", "nslookup"),
        ("route print -6", "route"),
        ("reg query HKLM\\x /v y", "reg"), ("sc query iphlpsvc", "sc"), ("sc.exe qc iphlpsvc", "sc"),
        ("Get-NetRoute -AddressFamily IPv6", "powershell"), ("(Get-NetRoute).Count", "powershell"),
        ("Resolve-DnsName x", "powershell"), ("gcim Win32_Service", "powershell"), ("dir", ""), ("", ""),
        ("cmd /c ipconfig /all", "ipconfig"), ("notepad-plus x", ""),
    ],
)  # fmt: skip
def test_kinds(command: str, kind: str) -> None:
    assert kind_of(command) == kind


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("netsh interface isatap show state", "netsh interface isatap show state"),
        ("### ipconfig /all", "ipconfig /all"), ("=== ipconfig /all ===", "ipconfig /all"),
        ("ipconfig /all:", "ipconfig /all"), ("`route print -6`", "route print -6"), ("1) ipconfig", "ipconfig"),
        ("Output of ipconfig /all:", "ipconfig /all"),
        ("$ nslookup isatap.corp.example", "nslookup isatap.corp.example"),
        ("Get-NetFirewallRule -DisplayName Helpdesk", "Get-NetFirewallRule -DisplayName Helpdesk"),
        ("Get-DAConnectionStatus", "Get-DAConnectionStatus"), ("ping 10.0.0.1", "ping 10.0.0.1"),
    ],
)  # fmt: skip
def test_commands_that_stand_alone(line: str, command: str) -> None:
    assert alone(line) == command


@pytest.mark.parametrize(
    "line",
    ["Ping statistics for 10.0.0.1:", "ping works fine", "nslookup does not find it", "ipconfig says this",
     "Get-RemoteAccess shows what I see", "Route print follows", "netsh is old", "Ping request could not find host x",
     "Windows IP Configuration", "ISATAP State : enabled", "Read-only: yes", "", "x" * 500],
)  # fmt: skip
def test_prose_is_no_command(line: str) -> None:
    assert alone(line) == ""


@pytest.mark.parametrize(
    ("command", "machine", "there"),
    [
        ("winrs -r:DA1 ipconfig /all", "DA1", "ipconfig /all"), ("psexec \\\\DA1 -s ipconfig", "DA1", "ipconfig"),
        ("Invoke-Command -ComputerName DA1 -ScriptBlock { ipconfig }", "DA1", "ipconfig"),
        ("icm da1.corp.example { Get-NetRoute }", "da1.corp.example", "Get-NetRoute"),
        ("sc \\\\DA1 query iphlpsvc", "DA1", "sc \\\\DA1 query iphlpsvc"),
        ("reg query \\\\DA1\\HKLM\\x", "DA1", "reg query \\\\DA1\\HKLM\\x"),
        ("netsh -r DA1 interface isatap show state", "DA1", "netsh -r DA1 interface isatap show state"),
        ("systeminfo /s DA1", "DA1", "systeminfo /s DA1"), ("ipconfig /all", "", "ipconfig /all"),
        ("Invoke-Command { ipconfig }", "", "Invoke-Command { ipconfig }"),
    ],
)  # fmt: skip
def test_commands_that_ran_elsewhere(command: str, machine: str, there: str) -> None:
    assert elsewhere(command) == (machine, there)


@given(st.text(max_size=100))
def test_any_text(text: str) -> None:
    assert kind_of(text) in {*READERS, "powershell", ""}
    assert len(alone(text)) <= len(text)
