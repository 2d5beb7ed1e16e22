"""Objects are known by the names of their properties, with the command line and without."""

from __future__ import annotations

from pathlib import Path

import pytest

from manageout.doctor.powershell.cmdlets import cmdlet, found
from manageout.doctor.powershell.read import JUDGED
from manageout.doctor.powershell.shapes import CMDLETS
from manageout.doctor.read.sections import READERS
from tests.unit.doctor.powershell_texts import INTERFACES, NRPT, SERVERS


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("Get-NetIPInterface -InterfaceIndex 14 | Get-NetIsatapConfiguration", "get-netisatapconfiguration"),
        ("get-daconnectionstatus | fl *", "get-daconnectionstatus"),
        ("tnc da.example.net -p 443", "test-netconnection"),
        ("ipconfig /all", ""),
    ],
)
def test_the_cmdlet_of_a_command(command: str, name: str) -> None:
    assert cmdlet(command) == name


def test_every_shape_is_known_by_its_own_properties() -> None:
    """Properties of one cmdlet in a list without the command line are not taken for another's."""
    for shape in CMDLETS:
        for needs in shape.needs:
            text = [f"{name:<40} : Running" for name in sorted(needs)]
            one = found(text)[0]
            assert one.cmdlet == shape.name, needs


def test_every_section_has_its_reader() -> None:
    of_import = "clientNames"
    assert {shape.section for shape in CMDLETS} - JUDGED == {"", of_import}
    assert READERS.keys() <= JUDGED


def test_the_reference_names_every_cmdlet() -> None:
    page = (Path(__file__).parents[4] / "docs" / "reference" / "commands.md").read_text()
    assert [shape.name for shape in CMDLETS if f"`{shape.name}`" not in page] == []


def test_values_become_what_the_collector_has() -> None:
    one, *_ = found(INTERFACES.split("\n"))
    assert (one.row["ifIndex"], one.row["NlMtu"], one.section) == (14, 1280, "interfaces")
    location, domain = found(NRPT.split("\n"))
    assert location.row["DirectAccessDnsServers"] == "" and len(domain.row["DirectAccessDnsServers"]) == 2
    assert found(["Enable : False", "List   : {}"])[0].row == {"Enable": False, "List": []}
    assert found(
        ["Name Enabled DefaultInboundAction", "---- ------- --------------------", "Public True Block"]
    )[0].row == {"Name": "Public", "Enabled": True, "DefaultInboundAction": "Block"}


def test_a_code_is_a_number() -> None:
    for text, code in (("0x2af9", 0x2AF9), ("11001", 0x2AF9), ("nonsense", "nonsense")):
        assert found([f"LastErrorCode   : {text}"])[0].row["LastErrorCode"] == code


def test_a_command_decides_where_the_properties_do_not() -> None:
    (one,) = found(["Status", "------", "Error"], "Get-DAConnectionStatus | select Status")
    assert one.section == "location"
    assert found(["Status", "------", "Error"]) == []
    assert found(["Status", "------", "ConnectedRemotely"])[0].section == "location"


def test_what_nobody_knows_is_none() -> None:
    assert found(["Colour : red", "Taste  : sweet"]) == []
    assert [one.section for one in found(SERVERS.split("\n"))] == ["", ""]


KEY = "Get-ItemProperty {}HKLM:\\System\\CurrentControlSet\\Services\\Dnscache\\Parameters{}"


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        (KEY.format("", "") + " | fl DisableNRPT*", ["DisableNRPTForAdapterRegistration : 1"]),
        (
            KEY.format("-Path '", "'") + " | select Dis*",
            ["DisableNRPTForAdapterRegistration", "-" * 33, " " * 32 + "1"],
        ),
        (
            KEY.format("", "") + " -Name DisableNRPTForAdapterRegistration",
            ["DisableNRPTForAdapterRegistration : 1"],
        ),
        ("(" + KEY.format("", "") + ").DisableNRPTForAdapterRegistration", ["1"]),
        ("gp" + KEY.format("", "")[16:] + " | fl", ["DisableNRPTForAdapterRegistration : 1"]),
    ],
)
def test_values_whose_key_the_command_has(command: str, lines: list[str]) -> None:
    (one,) = found(lines, command)
    assert one.section == "registry" and one.row["PSPath"].endswith("\\Services\\Dnscache\\Parameters")
    assert str(one.row["DisableNRPTForAdapterRegistration"]) == "1"


@pytest.mark.parametrize(
    "command", ["(Get-CimInstance Win32_OperatingSystem).Version", "[Environment]::OSVersion.Version"]
)
def test_a_bare_build(command: str) -> None:
    (one,) = found(["10.0.22631"], command)
    assert one.row == {"Build": 22631}


def test_what_was_selected_without_the_name_that_was_tested() -> None:
    lines = [
        "RemoteAddress TcpTestSucceeded",
        "------------- ----------------",
        "10.77.3.9                False",
    ]
    (one,) = found(
        lines, "Test-NetConnection nls.corp.example -Port 443 | select RemoteAddress,TcpTestSucceeded"
    )
    assert (one.row["ComputerName"], one.row["RemotePort"]) == ("nls.corp.example", 443)
