"""Group policies in a real Active Directory: published, verified by Samba's own programs, changed, undone."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from manageout.lab import network, process, samba
from manageout.lab.process import wait_until
from manageout.lab.topology import DOMAIN
from tests.tools.commands import MANAGEOUT
from tests.tools.places.gpo import (
    NAME,
    SERVER,
    SITE,
    UNIT,
    directory,
    domain,
    folder,
    gpo_tool,
    guid_of,
    registry,
    rollout,
    run,
    sysvol,
    tool,
)

assert domain and folder  # fixtures
pytestmark = pytest.mark.system


def test_published_changed_by_hand_and_undone_exactly(folder: Path) -> None:
    before, files_before = directory(), sysvol(folder)
    code, out = rollout(folder, "gpo", "--publish", "--dry-run")
    assert code == 0 and f"{NAME}: not in the directory" in out
    assert directory() == before

    code, out = rollout(folder, "gpo", "--publish")
    assert code == 0, out
    guid = guid_of(NAME)
    assert "version      : 1" in gpo_tool("show", f"{{{guid}}}")
    assert guid in gpo_tool("getlink", UNIT)
    gpo_tool("aclcheck")
    published = directory()
    assert "[{35378EAC-683F-11D2-A89A-00C04FBBCFA2}{D02B1F72-3407-48AE-BA88-E8213C6761F1}]" in published
    assert "[{CDEAFC3D-948D-49DD-AB12-E578BA4AF7AA}{D02B1F72-3407-48AE-BA88-E8213C6761F1}]" in published
    files = sysvol(folder)
    root = f"{DOMAIN}/Policies/{{{guid}}}"
    assert files[f"{root}/GPT.INI"] == b"[General]\r\nVersion=1\r\n"
    key = r"Software\Policies\Microsoft\Windows\TCPIP\v6Transition"
    assert registry(files[f"{root}/Machine/Registry.pol"]) == [
        [key, "ISATAP_State", 1, "Enabled"],
        [key, "ISATAP_RouterName", 1, "manageout-isatap.corp.example"],
    ]
    assert rollout(folder, "status") == (0, "as the site file says: 1 policy in corp.example\n")
    assert rollout(folder, "gpo", "--publish")[1] == "nothing differs, nothing written\n"

    by_hand(folder, guid)
    code, out = rollout(folder, "status")
    assert code == 1
    assert "ISATAP_State is missing, should be 'Enabled'" in out
    assert "displayName is Mine now" in out
    assert f"not linked at {UNIT}" in out

    code, out = rollout(folder, "undo")
    assert code == 0, out
    assert "changed since it was published" in out
    assert directory() == before
    assert sysvol(folder) == files_before
    gpo_tool("aclcheck")


def by_hand(folder: Path, guid: str) -> None:
    """Somebody empties the values, renames the policy and takes its link away."""
    empty = folder / "empty.pol"
    empty.write_bytes(base64.b64decode("UFJlZwEAAAA="))
    path = f"{DOMAIN}\\Policies\\{{{guid}}}\\Machine\\Registry.pol"
    tool("smbclient", f"//{SERVER}/sysvol", "-c", f'put {empty} "{path}"')
    gpo_tool("dellink", UNIT, f"{{{guid}}}")
    change = folder / "change.ldif"
    dn = f"CN={{{guid}}},CN=Policies,CN=System,DC=corp,DC=example"
    change.write_text(f"dn: {dn}\nchangetype: modify\nreplace: displayName\ndisplayName: Mine now\n")
    tool("ldbmodify", "-H", f"ldap://{SERVER}", str(change))


def test_an_update_raises_the_version_and_keeps_the_links_of_others(folder: Path) -> None:
    assert rollout(folder, "gpo", "--publish")[0] == 0
    guid = guid_of(NAME)
    middle, middle_files = directory(), sysvol(folder)
    site = folder / "site.toml"
    site.write_text(SITE.replace("manageout-isatap", "other-isatap"))
    code, out = rollout(folder, "status")
    assert code == 1 and "ISATAP_RouterName is 'manageout-isatap.corp.example'" in out
    assert rollout(folder, "gpo", "--publish")[0] == 0
    assert "version      : 2" in gpo_tool("show", f"{{{guid}}}")
    gpo_tool("aclcheck")
    assert rollout(folder, "undo")[0] == 0
    assert directory() == middle
    assert sysvol(folder) == middle_files
    others = "{31B2F340-016D-11D2-945F-00C04FB984F9}"
    gpo_tool("setlink", UNIT, others)
    assert rollout(folder, "undo")[0] == 0
    links = gpo_tool("getlink", UNIT)
    assert others in links and guid not in links
    gpo_tool("dellink", UNIT, others)
    code, out = rollout(folder, "undo")
    assert code == 1 and "nothing to undo" in out


def test_what_cannot_be_published_changes_nothing(folder: Path) -> None:
    before = directory()
    site = folder / "site.toml"
    code, out = rollout(folder, "gpo", "--publish", password="wrong")
    assert code == 1 and "--user" in out
    site.write_text(SITE.replace("ISATAP Managers", "Nobody"))
    code, out = rollout(folder, "gpo", "--publish")
    assert code == 1 and "no security group 'Nobody'" in out
    site.write_text(SITE.replace("OU=Work", "OU=Play"))
    code, out = rollout(folder, "gpo", "--publish")
    assert code == 1 and "no place 'OU=Playstations,DC=corp,DC=example'" in out
    site.write_text(SITE)
    tool("samba-tool", "user", "create", "anybody", "Passw0rd!y", "-H", f"ldap://{SERVER}")
    code, out = rollout(folder, "gpo", "--publish", user="anybody", password="Passw0rd!y")
    assert code == 1 and "Domain Admin" in out
    assert directory() == before


def test_a_policy_of_that_name_that_is_not_ours_stays(folder: Path) -> None:
    gpo_tool("create", NAME)
    foreign = guid_of(NAME)
    try:
        before = directory()
        code, out = rollout(folder, "gpo", "--publish")
        assert code == 1 and "is not ours" in out and foreign in out
        assert directory() == before
    finally:
        gpo_tool("del", f"{{{foreign}}}")


def test_by_a_kerberos_ticket(folder: Path) -> None:
    cache = f"FILE:{folder / 'ticket'}"
    environment = ["env", f"KRB5_CONFIG={samba.krb5_conf('dc')}", f"KRB5CCNAME={cache}"]
    code, out = rollout(folder, "status", user="")
    assert code == 1 and "kinit" in out
    network.run("helpdesk", [*environment, "kinit", "Administrator"], text=f"{samba.PASSWORD}\n")
    command = [*MANAGEOUT, "rollout", "status", "--config", str(folder / "site.toml")]
    result = run([*command, "--server", SERVER], KRB5CCNAME=cache)
    assert f"{NAME}: not in the directory" in result.stdout, result.stderr


def test_a_folder_that_cannot_be_made_is_rolled_back(folder: Path) -> None:
    """A file stands where the policy's folder belongs: the object is made, and must go again."""
    assert rollout(folder, "gpo", "--publish")[0] == 0
    guid = guid_of(NAME)
    assert rollout(folder, "undo")[0] == 0
    before = directory()
    path = f'"{DOMAIN}\\Policies\\{{{guid}}}'
    file = folder / "file"
    file.write_text("in the way")
    tool("smbclient", f"//{SERVER}/sysvol", "-c", f'put {file} {path}"')
    try:
        code, out = rollout(folder, "gpo", "--publish")
        assert code == 1 and "taking back what was done" in out and "Traceback" not in out
        assert "in the way in SYSVOL" in out and "port" not in out
        assert directory() == before
    finally:
        run(["smbclient", f"//{SERVER}/sysvol", "-U", samba.LOGIN, "-c", f'del {path}"'])


def test_a_domain_controller_that_is_lost_half_way(folder: Path) -> None:
    """Nothing can be taken back then; it is said, and `undo` does it when the controller is there again."""
    before, files_before = directory(), sysvol(folder)
    publishing = start_publishing(folder)
    assert publishing.stdout and publishing.stderr
    assert publishing.stdout.readline().startswith("writing ")
    policies = samba.keytab("dc").parent / "state" / "sysvol" / DOMAIN / "Policies"
    deadline = time.monotonic() + 20
    while len(list(policies.iterdir())) == 2:  # the domain's own; without a pause, to be in time
        assert time.monotonic() < deadline
    (child,) = Path(f"/proc/{publishing.pid}/task/{publishing.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGSTOP)
    rules = "type filter hook output priority 0; tcp dport { 389, 445 } reject with tcp reset;"
    rules = f"table ip lost {{ chain output {{ {rules} }}; }}"
    network.run("helpdesk", ["nft", "-f", "-"], text=rules)
    os.kill(int(child), signal.SIGCONT)
    _, errors = publishing.communicate(timeout=60)
    network.run("helpdesk", ["nft", "delete", "table", "ip", "lost"])
    assert publishing.returncode == 1
    assert "could not be restored" in errors and "manageout rollout undo" in errors
    assert directory() != before or sysvol(folder) != files_before
    code, out = rollout(folder, "undo")
    assert code == 0, out
    assert directory() == before

    def as_before() -> bool:
        try:
            return sysvol(folder) == files_before
        except AssertionError as error:
            # Until the server knows that the lost connection's handles are nobody's.
            assert "DELETE_PENDING" in str(error)
            return False

    wait_until("the files are as before", as_before, 90)


def start_publishing(folder: Path) -> subprocess.Popen[str]:
    setting = {
        "KRB5_CONFIG": str(samba.krb5_conf("dc")),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONUNBUFFERED": "1",
        "MANAGEOUT_PASSWORD": samba.PASSWORD,
    }
    command = [*MANAGEOUT, "rollout", "gpo", "--publish", "--server", SERVER]
    command += ["--config", str(folder / "site.toml"), "--backups", str(folder / "backups")]
    argv = [*(f"{name}={value}" for name, value in setting.items()), *command, "--user", "Administrator"]
    return subprocess.Popen(
        network.command("helpdesk", ["env", *argv]), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_domain_controller_that_is_not_there(folder: Path) -> None:
    before = directory()
    running = process.find("dc", "samba")
    assert running
    process.stop(running, signal.SIGTERM)
    code, out = rollout(folder, "gpo", "--publish")
    assert code == 1 and "--server" in out and "Traceback" not in out
    samba.serve("dc", shares=True)
    assert directory() == before
