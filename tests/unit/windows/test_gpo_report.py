"""The report and the descriptor, read by expat and by Samba, which did not write them."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ElementTree
from datetime import datetime
from pathlib import Path

import pytest

from manageout.windows.gpo_report import DESCRIPTOR, SDDL, report
from manageout.windows.policies import Policy, isatap_managers, remote_clients

SETTINGS = "http://www.microsoft.com/GroupPolicy/Settings"
TYPES = "http://www.microsoft.com/GroupPolicy/Types"
GUID = "{0B0C0D0E-0000-0000-0000-000000000015}"
MADE = datetime(2026, 11, 23, 1, 2, 3)
SYSTEM = Path("/usr/bin/python3")
REGISTRY = f"{{{SETTINGS}/Registry}}"


def read(policy: Policy) -> ElementTree.Element:
    data = report(policy, GUID, "corp.example", MADE)
    assert data.startswith(b"\xff\xfe")
    return ElementTree.fromstring(data)


def test_the_report_names_the_policy() -> None:
    root = read(isatap_managers("M & <o>", "manageout-isatap.corp.example"))
    assert root.tag == f"{{{SETTINGS}}}GPO"
    assert root.findtext(f"{{{SETTINGS}}}Identifier/{{{TYPES}}}Identifier") == GUID
    assert root.findtext(f"{{{SETTINGS}}}Identifier/{{{TYPES}}}Domain") == "corp.example"
    assert root.findtext(f"{{{SETTINGS}}}Name") == "M & <o>"
    assert root.findtext(f"{{{SETTINGS}}}User/{{{SETTINGS}}}Enabled") == "false"


def test_every_value_is_there_with_its_type() -> None:
    policy = remote_clients("M: clients", "https://g.corp.example:443/IPHTTPS", ["corp.example"], "fd12::1")
    found = [
        (setting.findtext(f"{REGISTRY}KeyPath"), value.findtext(f"{REGISTRY}Name"), value[1])
        for setting in read(policy).iter(f"{REGISTRY}RegistrySetting")
        for value in setting.findall(f"{REGISTRY}Value")
    ]
    assert [(key, name) for key, name, _ in found] == [(value.key, value.name) for value in policy.values]
    for (_, _, content), value in zip(found, policy.values, strict=True):
        if isinstance(value.content, tuple):
            assert content.tag == f"{REGISTRY}MultiString" and [one.text for one in content] == list(
                value.content
            )
        else:
            tag = "Number" if isinstance(value.content, int) else "String"
            assert (content.tag, content.text or "") == (f"{REGISTRY}{tag}", str(value.content))


def test_samba_reads_the_descriptor_as_the_report_says_it() -> None:
    code = (
        "import sys; from samba.dcerpc import security; from samba.ndr import ndr_unpack; "
        "sid = security.dom_sid('S-1-5-21-1-2-3'); "
        "print(ndr_unpack(security.descriptor, bytes.fromhex(sys.argv[1])).as_sddl(sid)); "
        "print(security.descriptor.from_sddl(sys.argv[2], sid).as_sddl(sid))"
    )
    if subprocess.run([SYSTEM, "-c", "import samba"], capture_output=True, check=False).returncode:
        pytest.skip("python3-samba is not installed")
    done = subprocess.run(
        [SYSTEM, "-c", code, DESCRIPTOR.hex(), SDDL], capture_output=True, text=True, check=True
    )
    binary, text = done.stdout.split()
    assert binary == text and binary.startswith("O:SYG:SYD:P(")
    assert "S-1-5-21" not in binary
