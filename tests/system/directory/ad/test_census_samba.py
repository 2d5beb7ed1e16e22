"""The census of a real Active Directory: policies and zones, as Samba's own programs have made them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manageout.lab import samba
from manageout.lab.bind import LabRecord
from manageout.lab.topology import DOMAIN
from manageout.retire.remove import restore
from manageout.service.state.retire import RetireStore
from manageout.service.state.retire_phases import Phase, RetireStep
from manageout.site.contradictions import read_site
from tests.tools.commands import MANAGEOUT
from tests.tools.places import gpo
from tests.tools.places.gpo import NAME, SERVER, SITE, UNIT

ISATAP = "fd12:3456:789a:1:0:5efe:a00:11e"
RECORDS = [
    LabRecord(f"manageout-isatap.{DOMAIN}", "A", "10.0.0.5"),
    LabRecord(f"helpdesk.{DOMAIN}", "AAAA", ISATAP),
    LabRecord(f"helpdesk.{DOMAIN}", "AAAA", "fd12:9::30"),
    LabRecord(f"isatap.{DOMAIN}", "CNAME", f"old.{DOMAIN}"),
]


@pytest.fixture(scope="module")
def domain() -> Iterator[None]:
    with gpo.serving(RECORDS):
        yield


@pytest.fixture
def folder(domain: None, tmp_path: Path) -> Path:
    (tmp_path / "site.toml").write_text(SITE + f'[daemon]\nstate_dir = "{tmp_path}/state"\n')
    return tmp_path


def run(argv: list[str], password: str = samba.PASSWORD) -> subprocess.CompletedProcess[str]:
    return gpo.run(argv, MANAGEOUT_PASSWORD=password)


def manageout(folder: Path, *argv: str, password: str = samba.PASSWORD) -> subprocess.CompletedProcess[str]:
    where = ["--config", str(folder / "site.toml"), "--server", SERVER, "--user", "Administrator"]
    return run([*MANAGEOUT, *argv, *where], password)


def census(folder: Path) -> dict[str, Any]:
    result = manageout(folder, "retire", "census", "--ad", "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def test_policies_and_zones_of_a_domain(folder: Path) -> None:
    assert census(folder)["policies"] == []
    published = manageout(folder, "rollout", "gpo", "--publish", "--backups", str(folder / "backups"))
    assert published.returncode == 0, published.stderr
    script = folder / "tunnel.cmd"
    script.write_text("netsh interface isatap set router 10.0.0.5\r\n")
    place = f"{DOMAIN}\\Policies\\{{31B2F340-016D-11D2-945F-00C04FB984F9}}\\MACHINE\\tunnel.cmd"
    login = [f"//{SERVER}/sysvol", "-U", samba.LOGIN, "-c", f'put {script} "{place}"']
    put = run(["smbclient", *login])
    assert put.returncode == 0, put.stdout

    found = census(folder)
    by_policy = {(row["policy"], row["what"]): row for row in found["policies"]}
    state = by_policy[NAME, "ISATAP_State = Enabled"]
    assert (state["turns"], state["links"]) == ("on", [UNIT])
    assert by_policy[NAME, "ISATAP_RouterName = manageout-isatap.corp.example"]["turns"] == "router name"
    assert (
        by_policy["Default Domain Policy", "netsh interface isatap set router 10.0.0.5"]["turns"] == "unclear"
    )
    assert found["figures"]["policies"] == 2

    (host,) = found["hosts"]
    assert (host["ipv4"], host["native"]) == ("10.0.1.30", ["fd12:9::30"])
    assert host["records"] == [{"name": f"helpdesk.{DOMAIN}", "address": ISATAP}]
    zone = {
        row["name"]: row["values"]
        for row in found["names"]
        if row["place"] == f"zone {DOMAIN} in Active Directory"
    }
    assert zone == {f"isatap.{DOMAIN}": [f"old.{DOMAIN}"], f"manageout-isatap.{DOMAIN}": ["10.0.0.5"]}
    assert not [what for what in found["unseen"] if what.startswith("zone")]


def test_a_wrong_password_records_nothing(folder: Path) -> None:
    result = manageout(folder, "retire", "census", "--ad", password="wrong")
    assert result.returncode == 1
    assert "--user" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (folder / "state" / "retire.db").exists()


def policies() -> str:
    """All policies and links, by a program that has no part in changing them."""
    attributes = ["dn", "displayName", "versionNumber", "gPCMachineExtensionNames", "gPLink"]
    words = "(|(objectClass=groupPolicyContainer)(gPLink=*))"
    argv = ["ldbsearch", "-H", f"ldap://{SERVER}", words, *attributes, "-U", samba.LOGIN]
    lines = [line for line in run(argv).stdout.splitlines() if not line.startswith("#")]
    return "\n\n".join(sorted("\n".join(lines).split("\n\n")))  # they come in no certain order


def test_our_policy_goes_at_the_end_of_a_retirement_and_comes_back(folder: Path) -> None:
    published = manageout(folder, "rollout", "gpo", "--publish", "--backups", str(folder / "backups"))
    assert published.returncode == 0, published.stderr
    before = policies()
    assert NAME in before
    store = RetireStore(folder / "state")
    store.record(RetireStep.FORWARD, Phase.RETIRED, 1.0, "anna@router")
    remove = ("retire", "remove", "--policies", "--scripts", str(folder / "scripts"))
    dry = manageout(folder, *remove, "--dry-run")
    assert f"would remove the policy {NAME}" in dry.stdout and policies() == before
    wrong = manageout(folder, *remove, password="wrong")
    assert wrong.returncode == 1 and store.phase() is Phase.RETIRED and policies() == before
    assert (
        restore(store, read_site(folder / "site.toml")[0], lambda: pytest.fail("nothing went"), print) == []
    )
    young = manageout(folder, *remove)
    assert young.returncode == 1 and "its evidence is 0 seconds old" in young.stderr and policies() == before
    done = manageout(folder, *remove, "--force")
    assert done.returncode == 0, done.stderr
    after = policies()
    assert NAME not in after and "Default Domain Policy" in after
    assert store.phase() is Phase.REMOVED
    refused = manageout(folder, "retire", "undo", password="wrong")
    assert refused.returncode == 1 and "not restored: policies of corp.example" in refused.stdout
    back = manageout(folder, "retire", "undo")
    assert back.returncode == 0, back.stderr
    assert policies() == before
    assert (store.phase(), store.kept()) == (Phase.JUDGED, {})
