"""Texts cut into outputs, with and without prompts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manageout.doctor.pasted.segments import parts
from manageout.doctor.read.text import lines
from tests.unit.doctor.console.test_ipconfig import ENGLISH
from tests.unit.doctor.console.test_netsh import ADDRESSES
from tests.unit.doctor.console.test_settings import INTERFACE, INTERFACES, POLICIES, ROUTES


def cut(text: str) -> list[tuple[str, str, str]]:
    return [(part.machine, part.command, part.kind) for part in parts(lines(text))]


@pytest.mark.parametrize(
    ("prompt", "machine"),
    [("C:\\>", ""), ("C:\\Windows\\system32>", ""), ("PS C:\\> ", ""), ("PS C:\\Users\\x y> ", ""), ("PS>", ""),
     ("[DA1]: PS C:\\> ", "DA1"), ("[da1.corp.example]: PS C:\\Users\\x\\Documents> ", "da1.corp.example"),
     ("PS HKLM:\\> ", ""), ("\\\\server\\share>", ""), ("D:\\tools (x86)>", ""), ("x@da1:~$ ", ""),
     ("corp\\x@DA1 C:\\Users\\x>", "DA1"), ("(venv) PS C:\\> ", ""), ("DA-N1> ", "DA-N1"), ("helpdesk>", "helpdesk"),
     ("DA1 C:\\>", "DA1")],
)  # fmt: skip
def test_prompts(prompt: str, machine: str) -> None:
    assert cut(f"{prompt}ipconfig /all\nx\n{prompt}\n") == [
        (machine, "ipconfig /all", "ipconfig"),
    ]


def test_prompts_of_netsh_itself() -> None:
    text = "C:\\>netsh\nnetsh>interface isatap show state\nx : y\n\nnetsh interface ipv6>show route\nx : y\n"
    assert cut(text) == [
        ("", "netsh", "netsh"),
        ("", "netsh interface isatap show state", "isatap"),
        ("", "netsh interface ipv6 show route", "routes"),
    ]


def test_commands_of_other_machines() -> None:
    assert cut("C:\\>winrs -r:DA1 netsh interface isatap show state\nISATAP State : enabled\n") == [
        ("DA1", "netsh interface isatap show state", "isatap")
    ]


def test_transcripts_of_powershell() -> None:
    text = "**********\nUsername: CORP\\bob\nMachine: HELP7 (Microsoft Windows NT 10.0.19045.0)\nPS C:\\>ipconfig\nx"
    assert cut(text)[-1] == ("HELP7", "ipconfig", "ipconfig")


def test_outputs_without_prompts() -> None:
    text = "\n\n".join((ENGLISH, INTERFACE, INTERFACES, ROUTES, POLICIES, "ISATAP State : enabled"))
    kinds = [kind for _, _, kind in cut(text) if kind]
    assert kinds == ["ipconfig", "interface", "interfaces", "routes", "policies", "isatap"]


def test_tables_of_addresses_belong_together() -> None:
    text = "C:\\>netsh interface ipv6 show addresses\n\n" + ADDRESSES + "\n" + ADDRESSES.replace("15", "16")
    assert cut(text) == [("", "netsh interface ipv6 show addresses", "addresses")]
    assert [kind for *_, kind in cut(ADDRESSES + "\n" + ADDRESSES)] == ["addresses"]


def test_one_output_twice() -> None:
    assert [kind for *_, kind in cut(ENGLISH + ENGLISH + POLICIES + POLICIES) if kind] == [
        "ipconfig",
        "ipconfig",
        "policies",
        "policies",
    ]


def test_prose_is_a_part_of_no_kind() -> None:
    assert cut(f"Hello\n{ENGLISH}\nAny idea?") == [("", "", ""), ("", "", "ipconfig"), ("", "", "")]


@pytest.mark.parametrize(
    ("heading", "machine"),
    [("=== HELP7 ===", "HELP7"), ("--- da1.corp.example ---", "da1.corp.example"), ("### DA1", "DA1"),
     ("On the server:", "server"), ("on the DA server DA1:", "DA1"), ("From the client (LAPTOP7):", "LAPTOP7"),
     ("Server:", "server"), ("Auf dem Server:", "server"), ("HELP-7:", "HELP-7"), ("[DA1]", "DA1"),
     ("*** client ***", "client"), ("=== DA1 (DirectAccess server) ===", "DA1"), ("=== Server: DA1 ===", "DA1"),
     ("Computer: HELP7", "HELP7"),
     ("and on the DA server (2012 R2) you asked for this:", "da server"), ("und auf dem DC:", "dc"),
     ("and on filesrv03 itself:", "filesrv03"), ("Client LAPTOP7 (Windows 10 22H2):", "LAPTOP7"),
     ("and the helpdesk box:", "helpdesk box"), ("DA client:", "da client"), ("y en el servidor DA:", "servidor"),
     ("sur le poste helpdesk:", "poste helpdesk"), ("our DA server:", "da server")],
)  # fmt: skip
def test_headings_that_name_a_machine(heading: str, machine: str) -> None:
    assert cut(f"{heading}\n\nISATAP State : enabled\n")[0][0] == machine


@pytest.mark.parametrize(
    "heading",
    ["=== ISATAP ===", "--- before ---", "Ethernet adapter Ethernet:", "Here is the output:", "================",
    "- x -",
     "Server:  dc.corp.example", "IPv6:",
     "On Wi-Fi at home I get this:", "On Windows-11 it says:", "On Win10:", "On Thu the server team wrote:",
     "Settings:", "Default Server:", "Reply from server:"],
)  # fmt: skip
def test_headings_that_name_none(heading: str) -> None:
    assert {machine for machine, *_ in cut(f"{heading}\n\nISATAP State : enabled\n")} == {""}


def test_a_command_of_powershell_keeps_what_it_printed() -> None:
    text = "PS C:\\> Get-RemoteAccess\n\nDAStatus : x\n\nSslCertificate : [Subject]\n  CN=x\n\n [Issuer]\n  CN=y\n"
    (part,) = parts(lines(text))
    assert part.lines[0] == "DAStatus : x" and part.lines[-1].strip() == "CN=y"


@given(st.text(alphabet="C:\\>PS =-#[]ab\n1.", max_size=200))
def test_no_line_is_lost(text: str) -> None:
    rows = lines(text)
    kept = [line for part in parts(rows) for line in part.lines if line]
    assert len(kept) <= len(rows)


@pytest.mark.parametrize("command", ["C:\\>ipconfig /displaydns\n\n", ""])
def test_the_cache_has_the_heading_of_ipconfig(command: str) -> None:
    text = "Windows IP Configuration\n\n    a.corp.example\n    -------\n    Record Name . . . . . : a.corp.example\n"
    assert [kind for *_, kind in cut(command + text)][-1] == "displaydns"


def test_a_heading_with_the_word_directaccess_is_no_servers_for_that() -> None:
    text = "{}:\n\nISATAP State : enabled\n"
    assert [part.router for part in parts(lines(text.format("DA client")))] == [False]
    assert [part.router for part in parts(lines(text.format("DA server")))] == [True]


def test_prose_with_an_angle_is_no_prompt() -> None:
    assert cut("helpdesk> nothing works\n") == [("", "", "")]
