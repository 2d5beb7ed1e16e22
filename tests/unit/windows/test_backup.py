"""The folder for Import-GPO: files, names, elements."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from datetime import datetime

import pytest

from manageout.windows.backup import MANIFEST, REGISTRY_FILE, Backup, render
from manageout.windows.policies import isatap_managers
from manageout.windows.registry_pol import parse

OPERATIONS = "http://www.microsoft.com/GroupPolicy/GPOOperations"
MADE = datetime(2026, 11, 23, 1, 2, 3)
POLICY = isatap_managers("Manageout: ISATAP managers", "manageout-isatap.corp.example")
BACKUP = Backup(POLICY, "corp.example", MADE)


@pytest.fixture
def files() -> dict[str, bytes]:
    return render([POLICY], "corp.example", MADE)


def test_the_files_of_one_policy(files: dict[str, bytes]) -> None:
    folder = BACKUP.backup_guid
    inside = ("bkupInfo.xml", "Backup.xml", "gpreport.xml", REGISTRY_FILE)
    assert set(files) == {"manifest.xml", *(f"{folder}/{name}" for name in inside)}


def test_guids_are_two_and_stay_the_same() -> None:
    assert BACKUP.backup_guid != BACKUP.policy_guid
    assert (
        BACKUP.backup_guid == BACKUP.backup_guid.upper() == Backup(POLICY, "CORP.example", MADE).backup_guid
    )
    assert Backup(POLICY, "other.example", MADE).backup_guid != BACKUP.backup_guid


def test_manifest_and_information_say_the_same_in_the_consoles_order(files: dict[str, bytes]) -> None:
    one = ElementTree.fromstring(files[f"{BACKUP.backup_guid}/bkupInfo.xml"])
    (other,) = ElementTree.fromstring(files["manifest.xml"])
    assert one.tag == other.tag == f"{{{MANIFEST}}}BackupInst"
    names = [child.tag.rpartition("}")[2] for child in one]
    assert names == [
        "GPOGuid", "GPODomain", "GPODomainGuid", "GPODomainController", "BackupTime", "ID", "Comment", "GPODisplayName",
    ]  # fmt: skip
    assert [child.text for child in one] == [child.text for child in other]
    assert one.findtext(f"{{{MANIFEST}}}GPODisplayName") == POLICY.name
    assert one.findtext(f"{{{MANIFEST}}}BackupTime") == "2026-11-23T01:02:03"


def test_the_scheme_names_the_registry_file_and_both_extensions(files: dict[str, bytes]) -> None:
    root = ElementTree.fromstring(files[f"{BACKUP.backup_guid}/Backup.xml"])
    assert root.tag == f"{{{OPERATIONS}}}GroupPolicyBackupScheme"
    assert root.get(f"{{{OPERATIONS}}}version") == "2.0"
    core = root.find(f".//{{{OPERATIONS}}}GroupPolicyCoreSettings")
    assert core is not None
    assert core.findtext(f"{{{OPERATIONS}}}MachineExtensionGuids") == POLICY.extensions
    assert core.findtext(f"{{{OPERATIONS}}}ID") == BACKUP.policy_guid
    file = root.find(f".//{{{OPERATIONS}}}FSObjectFile")
    assert file is not None
    assert file.get(f"{{{OPERATIONS}}}Location") == REGISTRY_FILE.replace("/", "\\")


def test_the_registry_file_holds_the_policy(files: dict[str, bytes]) -> None:
    records = parse(files[f"{BACKUP.backup_guid}/{REGISTRY_FILE}"])
    found = {(record.key, record.value): record.content() for record in records}
    assert found == {(value.key, value.name): value.content for value in POLICY.values}


def test_names_with_marks_of_xml() -> None:
    odd = POLICY._replace(name="a ]]> b & <c>")
    files = render([odd], "corp.example", MADE)
    (other,) = ElementTree.fromstring(files["manifest.xml"])
    assert other.findtext(f"{{{MANIFEST}}}GPODisplayName") == odd.name
