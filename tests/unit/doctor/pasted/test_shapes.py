"""Outputs without their commands are known by their looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manageout.doctor.pasted.shapes import shape_at
from manageout.doctor.read.pasted import READERS
from tests.unit.doctor.console.test_settings import INTERFACE, INTERFACES, POLICIES, ROUTES
from tests.unit.doctor.languages import LANGUAGES, ipconfig


def shape(text: str) -> str:
    return shape_at(text.split("\n"), 0).kind


@pytest.mark.parametrize("name", LANGUAGES)
def test_ipconfig_in_any_language(name: str) -> None:
    rows = ipconfig(name).split("\r\n")
    headers = [number for number, row in enumerate(rows) if row.endswith(":") and row[0] != " "]
    assert [shape_at(rows, number).kind for number in headers] == ["ipconfig", "ipconfig"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (INTERFACE.strip(), "interface"), (INTERFACES.strip(), "interfaces"), (ROUTES.strip(), "routes"),
        (POLICIES.split("active state...")[1].strip(), "policies"), ("        50      0  ::1/128", "policies"),
        ("  9    281 fd12::5efe:10.0.1.30/128\n" + " " * 36 + "On-link", ""), ("ISATAP-Status : deaktiviert", "isatap"),
        ("Nom du routeur : isatap.corp.example", "isatap"), ("État ISATAP : par défaut", "isatap"),
        ("Teredo-Parameter\n----------\nTyp : client", "teredo"),
        ("Role : client\nURL : https://g.example/IPHTTPS", "iphttps"),
        ("Server:  dc.corp.example\nAddress:  10.0.0.10", "nslookup"),
        ("Serveur :   UnKnown\nAddress:  fd12::1", "nslookup"),
        ("*** UnKnown can't find x: Non-existent domain", "nslookup"), ("HKEY_LOCAL_MACHINE\\SYSTEM", "reg"),
        ("SERVICE_NAME: iphlpsvc", "sc"), ("Pinging x [fd12::1] with 32 bytes of data:", "ping"),
        ("Ping wird ausgeführt für x [fd12::1] mit 32 Bytes Daten:", "ping"),
        ("正在 Ping x [fd12::1] 具有 32 字节的数据:", "ping"),
        ("  1    <1 ms     *       12 ms  10.0.0.1", "tracert"), ("Status    : Error\nSubstatus : None", "powershell"),
        ("ifIndex Name\n------- ----\n12      Ethernet", "powershell"), ("Any idea?", ""),
        ("Type : client\nServer Name : teredo.example.", "teredo"), ("", ""),
        ("Microsoft Windows [Version 10.0.19045.1]", "ver"),
        ("    laptop.corp.example\n    ---------------\n    Record Name . . . . . : laptop.corp.example", "displaydns"),
        ("Settings for .corp.example\n------\nDirectAccess (DNS Servers) : fd12::1", "namespace"),
        ("Rule Name:     Helpdesk\n---------------\nEnabled:       Yes", "advfirewall"),
        ("Host Name:                 X\nOS Name:                   Microsoft Windows 10 Pro", "systeminfo"),
    ],
)  # fmt: skip
def test_shapes(text: str, kind: str) -> None:
    assert shape(text) == kind


@given(st.lists(st.text(max_size=60), min_size=1, max_size=8))
def test_any_lines(lines: list[str]) -> None:
    assert shape_at(lines, 0).kind in {*READERS, "powershell", ""}
