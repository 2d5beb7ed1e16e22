"""What policies say about ISATAP, from their files and from reports."""

from __future__ import annotations

import pytest

from manageout.errors import ManageoutError
from manageout.windows.gpo_read import Setting, of_files, of_report
from manageout.windows.policies import TRANSITION
from manageout.windows.registry_pol import RegistryRecord, build
from tests.tools.registry_pol import deletion

GUID = "{31B2F340-016D-11D2-945F-00C04FB984F9}"
POL = "Machine\\Registry.pol"


def registry(*records: RegistryRecord) -> list[tuple[str, str]]:
    found = of_files("Managers", GUID, {POL: build(records)})
    assert all(
        (each.policy, each.guid, each.place) == ("Managers", GUID, "Machine/Registry.pol") for each in found
    )
    return [(each.what, each.turns) for each in found]


@pytest.mark.parametrize(
    ("state", "turns"),
    [("Enabled", "on"), ("enabled", "on"), ("Disabled", "off"), ("Default", "off"), ("Sometimes", "unclear")],
)
def test_the_state(state: str, turns: str) -> None:
    assert registry(RegistryRecord.of(TRANSITION, "ISATAP_State", state)) == [
        (f"ISATAP_State = {state}", turns)
    ]


def test_the_name_and_what_is_no_matter_of_isatap() -> None:
    found = registry(
        RegistryRecord.of(TRANSITION.upper(), "ISATAP_RouterName", "isatap.corp.example"),
        RegistryRecord.of(TRANSITION, "Teredo_State", "Disabled"),
        RegistryRecord.of(r"Software\Other", "ISATAP_State", "Enabled"),
    )
    assert found == [("ISATAP_RouterName = isatap.corp.example", "router name")]


def test_a_policy_that_is_disabled_deletes() -> None:
    assert registry(deletion(TRANSITION, "ISATAP_State")) == [("ISATAP_State is deleted", "off")]


def test_a_value_of_another_type_is_told() -> None:
    assert registry(RegistryRecord.of(TRANSITION, "ISATAP_State", 1)) == [("ISATAP_State = 1", "unclear")]


def test_a_file_that_cannot_be_read_is_told() -> None:
    ((what, turns),) = [(e.what, e.turns) for e in of_files("x", GUID, {POL: b"PReg\x01\x00\x00\x00[isatap"})]
    assert what.startswith("cannot be read") and turns == "unclear"


def test_scripts_and_preferences_in_clear() -> None:
    files = {
        "Machine/Scripts/Startup/tunnel.cmd": b"@echo off\r\nnetsh interface ISATAP set router 10.0.0.5\r\nexit\r\n",
        "Machine/Preferences/Registry/Registry.xml": '<Properties name="IsatapState" value="1"/>'.encode(
            "utf-16"
        ),
        "Machine/Scripts/other.cmd": b"net use x: \\\\server\\share",
        "Machine/picture.bmp": b"isatap",
    }
    assert of_files("Start-up", GUID, files) == [
        Setting(
            "Start-up",
            GUID,
            "Machine/Preferences/Registry/Registry.xml",
            '<Properties name="IsatapState" value="1"/>',
            "unclear",
        ),
        Setting(
            "Start-up",
            GUID,
            "Machine/Scripts/Startup/tunnel.cmd",
            "netsh interface ISATAP set router 10.0.0.5",
            "unclear",
        ),
    ]


def test_a_script_full_of_it_is_bounded() -> None:
    lines = b"".join(b"netsh interface isatap show state %d %s\n" % (n, b"x" * 5000) for n in range(500))
    found = of_files("Start-up", GUID, {"a.cmd": lines})
    assert len(found) == 20
    assert max(len(each.what) for each in found) == 200


REPORT = """<?xml version="1.0" encoding="utf-16"?>
<report>
<GPO xmlns="http://www.microsoft.com/GroupPolicy/Settings">
  <Identifier><Identifier xmlns="http://www.microsoft.com/GroupPolicy/Types">{GUID}</Identifier></Identifier>
  <Name>Managers</Name>
  <Computer><ExtensionData><Extension xmlns:q1="http://www.microsoft.com/GroupPolicy/Settings/Registry">
    <q1:Policy><q1:Name>Set ISATAP State</q1:Name><q1:State>Enabled</q1:State>
      <q1:DropDownList><q1:Name>Select from the following states:</q1:Name><q1:State>Enabled</q1:State>
        <q1:Value><q1:Name>Enabled State</q1:Name></q1:Value></q1:DropDownList></q1:Policy>
    <q1:Policy><q1:Name>Set ISATAP Router Name</q1:Name><q1:State>Enabled</q1:State>
      <q1:EditText><q1:Name>Enter a router or relay name:</q1:Name><q1:State>Enabled</q1:State>
        <q1:Value>isatap.corp.example</q1:Value></q1:EditText></q1:Policy>
    <q1:Policy><q1:Name>Set Teredo State</q1:Name><q1:State>Enabled</q1:State></q1:Policy>
  </Extension></ExtensionData></Computer>
</GPO>
<GPO xmlns="http://www.microsoft.com/GroupPolicy/Settings"><Name>Aus</Name><Computer>
  <Policy><Name>ISATAP-Status festlegen</Name><State>Disabled</State></Policy></Computer></GPO>
</report>""".replace("{GUID}", GUID)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "utf-8-sig"])
def test_a_report_of_all_policies(encoding: str) -> None:
    assert of_report(REPORT.encode(encoding)) == [
        Setting("Managers", GUID, "report", "Set ISATAP State = Enabled State", "on"),
        Setting("Managers", GUID, "report", "Set ISATAP Router Name = isatap.corp.example", "router name"),
        Setting("Aus", "", "report", "ISATAP-Status festlegen: off", "off"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not whole"),
        ("<GPO>", "not whole"),
        ("<html><body/></html>", "no group policy"),
        ('<!DOCTYPE lolz [<!ENTITY lol "lol">]><GPO>&lol;</GPO>', "entities"),
        ("\x00\x01\x02", "not whole"),
    ],
)
def test_what_is_no_report_is_refused(text: str, says: str) -> None:
    with pytest.raises(ManageoutError, match=says):
        of_report(text.encode())
