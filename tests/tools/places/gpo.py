"""A real Active Directory with SYSVOL, and Samba's own programs to look at what was published there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from manageout.lab import network, samba
from manageout.lab.bind import LabRecord
from manageout.lab.topology import DNS_INTRANET, DOMAIN, topology
from tests.tools.commands import MANAGEOUT

SITE = """
[site]
prefix = "fd12:3456:789a::/48"
domain = "corp.example"
[isatap]
locators = ["10.0.0.5"]
name = "manageout-isatap.corp.example"
[rollout]
managers_group = "ISATAP Managers"
managers_unit = "OU=Workstations,DC=corp,DC=example"
"""
UNIT = "OU=Workstations,DC=corp,DC=example"
NAME = "Manageout: ISATAP managers"
SERVER = f"dc.{DOMAIN}"
PREG = """
import json, sys
from samba.dcerpc import preg
from samba.ndr import ndr_unpack
file = ndr_unpack(preg.file, sys.stdin.buffer.read())
print(json.dumps([[e.keyname, e.valuename, e.type, str(e.data)] for e in file.entries]))
"""


@contextmanager
def serving(records: Sequence[LabRecord]) -> Iterator[None]:
    """The directory on ``dc``, with ``records`` in its DNS."""
    if shutil.which("samba") is None or shutil.which("smbclient") is None:
        pytest.skip("samba-ad-dc or smbclient is not installed")
    network.up(topology("single"))
    try:
        samba.start_directory("dc", DNS_INTRANET, records, shares=True)
        yield
    finally:
        network.down()


@pytest.fixture(scope="module")
def domain() -> Iterator[None]:
    with serving([]):
        yield


@pytest.fixture
def folder(domain: None, tmp_path: Path) -> Path:
    (tmp_path / "site.toml").write_text(SITE)
    return tmp_path


def run(argv: list[str], **more: str) -> subprocess.CompletedProcess[str]:
    """On the machine of a manager."""
    setting = {"KRB5_CONFIG": str(samba.krb5_conf("dc")), "PYTHONPATH": os.pathsep.join(sys.path), **more}
    environment = [f"{name}={value}" for name, value in setting.items()]
    return network.run("helpdesk", ["env", *environment, *argv], check=False)


def rollout(
    folder: Path, *argv: str, user: str = "Administrator", password: str = samba.PASSWORD
) -> tuple[int, str]:
    command = [*MANAGEOUT, "rollout", *argv, "--config", str(folder / "site.toml")]
    command += ["--server", SERVER, *(["--user", user] if user else [])]
    if argv[0] != "status":
        command += ["--backups", str(folder / "backups")]
    result = run(command, MANAGEOUT_PASSWORD=password)
    return result.returncode, result.stdout + result.stderr


def tool(*argv: str) -> str:
    result = run([*argv, "-U", samba.LOGIN])
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def gpo_tool(*argv: str) -> str:
    return tool("samba-tool", "gpo", *argv, "-H", f"ldap://{SERVER}")


def directory() -> str:
    """All policies and links, by a program that had no part in writing them."""
    attributes = ["dn", "displayName", "versionNumber", "flags", "gPCFileSysPath", "gPCMachineExtensionNames"]
    words = "(|(objectClass=groupPolicyContainer)(gPLink=*))"
    sd = "nTSecurityDescriptor"
    text = tool("ldbsearch", "-H", f"ldap://{SERVER}", words, *attributes, "gPLink", sd, "--show-binary")
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def sysvol(folder: Path) -> dict[str, bytes]:
    """SYSVOL's policies, fetched by smbclient."""
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    tool("smbclient", f"//{SERVER}/sysvol", "-c", f"lcd {copy}; recurse; prompt off; mget {DOMAIN}")
    return {
        str(path.relative_to(copy)): path.read_bytes() if path.is_file() else b"" for path in copy.rglob("*")
    }


def guid_of(name: str) -> str:
    text = gpo_tool("listall")
    block = next(each for each in text.split("\n\n") if f"display name : {name}" in each)
    return block.partition("{")[2].partition("}")[0]


def registry(content: bytes) -> list[list[Any]]:
    """What Samba's own reader finds in a Registry.pol: key, value, type, content."""
    result = subprocess.run([samba_python(), "-c", PREG], input=content, capture_output=True, check=True)
    found: list[list[Any]] = json.loads(result.stdout)
    return found


def samba_python() -> str:
    """The interpreter that has Samba's modules."""
    return "/usr/bin/python3"
