"""Policies from folders of backups and from reports."""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path

import pytest

from manageout.directory.ad.state import CensusPolicy
from manageout.errors import ManageoutError
from manageout.retire.census import policies as census_policies
from manageout.retire.census.policies import of_directory, of_path, turns_on
from manageout.windows.backup import Backup, registry_file, render
from manageout.windows.policies import isatap_managers

MADE = datetime(2026, 11, 23)
ON = isatap_managers("Managers", "manageout-isatap.corp.example")
OFF = isatap_managers("No managers", "manageout-isatap.corp.example", on=False)
OTHER = ON._replace(name="Other", values=())


def folder(path: Path) -> Path:
    for name, content in render([ON, OFF, OTHER], "corp.example", MADE).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def test_a_folder_of_backups(tmp_path: Path) -> None:
    rows = of_path(folder(tmp_path))
    on = [row for row in rows if row["policy"] == "Managers"]
    guid = Backup(ON, "corp.example", MADE).policy_guid
    assert {row["guid"] for row in on} == {guid}
    assert {(row["what"], row["turns"]) for row in on} == {
        ("ISATAP_State = Enabled", "on"),
        ("ISATAP_RouterName = manageout-isatap.corp.example", "router name"),
    }
    assert {row["policy"] for row in rows if not turns_on(row)} <= {"No managers"}
    assert "Other" not in {row["policy"] for row in rows}


def test_scripts_in_a_backup_and_links_that_lead_out(tmp_path: Path) -> None:
    folder(tmp_path)
    scripts = (
        tmp_path
        / Backup(OTHER, "corp.example", MADE).backup_guid
        / "DomainSysvol/GPO/Machine/Scripts/Startup"
    )
    scripts.mkdir(parents=True)
    (scripts / "a.cmd").write_text("netsh interface isatap set state enabled\n")
    (scripts / "b.cmd").symlink_to("/etc/hostname")
    (row,) = [row for row in of_path(tmp_path) if row["policy"] == "Other"]
    assert (row["place"], row["turns"]) == ("Machine/Scripts/Startup/a.cmd", "unclear")


def test_what_a_directory_has_told() -> None:
    files = {"Machine\\Registry.pol": base64.b64encode(registry_file(ON)).decode()}
    told: list[CensusPolicy] = [
        {"name": "Managers", "guid": "{1}", "links": ["OU=Workstations,DC=corp,DC=example"], "files": files}
    ]
    rows = of_directory(told)
    assert {row["turns"] for row in rows} == {"on", "router name"}
    assert rows[0]["links"] == ["OU=Workstations,DC=corp,DC=example"]


def test_a_report(tmp_path: Path) -> None:
    report = "<GPO><Name>Managers</Name><Policy><Name>Set ISATAP State</Name><State>Disabled</State></Policy></GPO>"
    (tmp_path / "report.xml").write_bytes(report.encode("utf-16"))
    (row,) = of_path(tmp_path / "report.xml")
    assert (row["policy"], row["turns"], row["links"]) == ("Managers", "off", [])


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"\x00\xff" * 500, "report.xml: the report"), (None, "No such file"), (b"", "report")],
)
def test_what_is_neither_is_a_clear_line(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "report.xml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ManageoutError, match=says) as refusal:
        of_path(path)
    assert "Get-GPOReport" in refusal.value.hint


def test_a_folder_without_backups_or_with_too_many_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ManageoutError, match="no backup of a group policy"):
        of_path(tmp_path)
    monkeypatch.setattr(census_policies, "MAX_FILES", 3)
    with pytest.raises(ManageoutError, match="more than 3 files"):
        of_path(folder(tmp_path))


def test_a_report_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census_policies, "MAX_BYTES", 10)
    (tmp_path / "r").write_bytes(b"x" * 11)
    with pytest.raises(ManageoutError, match="more than"):
        of_path(tmp_path / "r")
