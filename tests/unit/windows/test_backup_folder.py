"""The folder as Import-GPO reads it: by expat and byte offsets, not by what wrote it."""

from __future__ import annotations

import re
import struct
import xml.dom.minidom
from pathlib import Path

import pytest

from manageout.cli.rollout.rollout import rollout
from tests.tools.commands import run

SITE = """
[site]
prefix = "fd12:3456:789a::/48"
domain = "corp.example"
[gateway]
certificate = "/c"
key = "/k"
client_ca = "/ca"
[isatap]
name = "manageout-isatap.corp.example"
locators = ["10.0.0.1"]
[[policy.managers]]
from = ["10.0.1.0/24"]
services = ["tcp/3389", "icmp"]
[rollout]
prefix = "M & <o>"
managers_group = "ISATAP Managers"
clients_group = "Remote Clients"
gateway_name = "gateway.corp.example"
"""
GUID = re.compile(r"\{[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\}")
MANIFEST = "http://www.microsoft.com/GroupPolicy/GPOOperations/Manifest"
OPERATIONS = "http://www.microsoft.com/GroupPolicy/GPOOperations"
REGISTRY = "{35378EAC-683F-11D2-A89A-00C04FBBCFA2}"
CORE = [
    "ID", "Domain", "SecurityDescriptor", "DisplayName", "Options", "UserVersionNumber", "MachineVersionNumber",
    "MachineExtensionGuids", "UserExtensionGuids", "WMIFilter",
]  # fmt: skip


@pytest.fixture(params=["on", "off"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    file = tmp_path / "site.toml"
    file.write_text(SITE)
    run(rollout, "gpo", "-c", str(file), "-o", str(tmp_path / "gpo"))
    return tmp_path / "gpo" / str(request.param)


def elements(node: xml.dom.minidom.Element) -> list[xml.dom.minidom.Element]:
    return [child for child in node.childNodes if isinstance(child, xml.dom.minidom.Element)]


def texts(node: xml.dom.minidom.Element) -> dict[str, str]:
    return {
        child.localName or "": "".join(part.nodeValue or "" for part in child.childNodes)
        for child in elements(node)
    }


def root(path: Path) -> xml.dom.minidom.Element:
    data = path.read_bytes()
    assert data.startswith(b'<?xml version="1.0" encoding="utf-8"?>')
    found = xml.dom.minidom.parseString(data).documentElement
    assert found is not None
    return found


def test_every_backup_is_listed_and_nothing_else_lies_there(folder: Path) -> None:
    manifest = root(folder / "manifest.xml")
    assert (manifest.localName, manifest.namespaceURI) == ("Backups", MANIFEST)
    assert manifest.getAttribute("xmlns:mfst") == manifest.getAttribute("xmlns") == MANIFEST
    assert manifest.getAttribute("mfst:version") == "1.0"
    listed = [texts(one) for one in elements(manifest)]
    assert {path.name for path in folder.iterdir()} == {"manifest.xml", *(one["ID"] for one in listed)}
    guids = [one[key] for one in listed for key in ("ID", "GPOGuid")]
    assert len(set(guids)) == len(guids) == 6
    assert all(GUID.fullmatch(guid) for guid in guids)
    assert len({one["GPODomainGuid"] for one in listed}) == 1
    for one in listed:
        files = {str(path.relative_to(folder / one["ID"])) for path in (folder / one["ID"]).rglob("*.*")}
        assert files == {
            "bkupInfo.xml",
            "Backup.xml",
            "gpreport.xml",
            "DomainSysvol/GPO/Machine/registry.pol",
        }
        information = root(folder / one["ID"] / "bkupInfo.xml")
        assert (information.localName, information.namespaceURI) == ("BackupInst", MANIFEST)
        assert texts(information) == one
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", one["BackupTime"])
        assert one["GPODomain"] == "corp.example" and one["GPODisplayName"].startswith("M & <o>: ")


def test_the_scheme_agrees_with_the_information_and_the_files(folder: Path) -> None:
    for one in [texts(entry) for entry in elements(root(folder / "manifest.xml"))]:
        scheme = root(folder / one["ID"] / "Backup.xml")
        assert (scheme.localName, scheme.namespaceURI) == ("GroupPolicyBackupScheme", OPERATIONS)
        assert scheme.getAttributeNS(OPERATIONS, "version") == "2.0"
        assert scheme.getAttributeNS(OPERATIONS, "type") == "GroupPolicyBackupTemplate"
        (policy,) = elements(scheme)
        parts = [part.localName for part in elements(policy)]
        assert parts == ["SecurityGroups", "FilePaths", "GroupPolicyCoreSettings", "GroupPolicyExtension"]
        core, extension = elements(policy)[2:]
        settings = texts(core)
        assert list(settings) == CORE
        wanted = (one["GPOGuid"], one["GPODomain"], one["GPODisplayName"])
        assert (settings["ID"], settings["Domain"], settings["DisplayName"]) == wanted
        directory, sysvol = divmod(int(settings["MachineVersionNumber"]), 1 << 16)
        assert directory == sysvol > 0 == int(settings["UserVersionNumber"])
        groups = re.findall(r"\[(.*?)\]", settings["MachineExtensionGuids"])
        assert "".join(f"[{group}]" for group in groups) == settings["MachineExtensionGuids"]
        assert [group[:38] for group in groups] == sorted(group[:38] for group in groups)
        assert groups[0].startswith(REGISTRY)
        assert extension.getAttributeNS(OPERATIONS, "ID") == REGISTRY
        assert extension.getAttributeNS(OPERATIONS, "DescName") == "Registry"
        file, templates = elements(extension)
        assert templates.getAttributeNS(OPERATIONS, "Path") == r"%GPO_FSPATH%\Adm\*.*"
        assert not templates.hasAttributeNS(OPERATIONS, "Location")
        assert file.getAttributeNS(OPERATIONS, "Path") == r"%GPO_MACH_FSPATH%\registry.pol"
        assert one["GPOGuid"] in file.getAttributeNS(OPERATIONS, "SourceExpandedPath")
        location = file.getAttributeNS(OPERATIONS, "Location").replace("\\", "/")
        assert records((folder / one["ID"] / location).read_bytes()) > 0


def records(data: bytes) -> int:
    """Counts the records of a Registry.pol by [MS-GPREG] 2.2.1: [key;value;type;size;data] in UTF-16."""
    assert data[:8] == b"PReg" + struct.pack("<I", 1)
    at, found = 8, 0
    while at < len(data):
        head = re.compile(rb"\[\0((?:[^\0]\0)+)\0\0;\0((?:[^\0]\0)+)\0\0;\0(.{4});\0(.{4});\0", re.DOTALL)
        match = head.match(data, at)
        assert match, data[at : at + 80]
        kind, size = struct.unpack("<II", match[3] + match[4])
        assert kind in (1, 4, 7) and (kind != 4 or size == 4)
        end = match.end() + size
        assert data[end : end + 2] == b"]\0"
        at, found = end + 2, found + 1
    return found
