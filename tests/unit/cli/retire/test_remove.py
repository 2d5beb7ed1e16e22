"""``manageout retire remove``: what it refuses, and what it only shows."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from manageout.cli.retire.retire import retire
from manageout.errors import ConfigError, ManageoutError
from manageout.service.state.retire import Member, RetireStore
from manageout.service.state.retire_phases import Phase, RetireStep
from tests.tools.commands import run


@pytest.fixture
def retired(file: str, tmp_path: Path) -> str:
    """All hosts were told to let go, a moment ago; the census knew one policy."""
    policy = {
        "policy": "Old",
        "guid": "{1}",
        "place": "Machine/Registry.pol",
        "what": "ISATAP_State = Enabled",
    }
    found: Any = {"policy": {"0": policy | {"turns": "on", "links": []}}}
    members = [Member(IPv4Network("10.0.1.0/24"), "everybody", 1.0)]
    store = RetireStore(tmp_path)
    store.record(RetireStep.CENSUS, Phase.COUNTED, 1.0, "anna@router", found=found)
    store.record(RetireStep.FORWARD, Phase.RETIRED, 1.0, "anna@router", members=members)
    return file


def test_before_all_have_let_go_it_is_refused(file: str) -> None:
    with pytest.raises(ManageoutError, match="remove cannot follow here"):
        run(retire, "remove", "--config", file)


def test_evidence_that_is_too_young_is_refused(retired: str) -> None:
    with pytest.raises(ManageoutError, match="remove is refused: its evidence is 0 seconds old"):
        run(retire, "remove", "--config", retired)


def test_a_dry_run_says_what_would_go_and_writes_nothing(retired: str, tmp_path: Path) -> None:
    scripts = tmp_path / "scripts"
    told = run(retire, "remove", "--config", retired, "--dry-run", "--scripts", str(scripts)).output
    assert "remove.ps1 would remove ISATAP_State from the policy Old" in told
    assert not scripts.exists()


def test_scripts_are_as_windows_powershell_reads_them(retired: str, tmp_path: Path) -> None:
    scripts = tmp_path / "scripts"
    told = run(retire, "remove", "--config", retired, "--force", "--scripts", str(scripts)).output
    assert "1 setting of policies" in told and "Phase: removed" in told
    for name in ("remove.ps1", "restore.ps1"):
        data = (scripts / name).read_bytes()
        assert data.startswith(b"\xef\xbb\xbf") and data.count(b"\n") == data.count(b"\r\n")


def test_updates_of_the_dns_need_its_table(retired: str) -> None:
    with pytest.raises(ConfigError):
        run(retire, "remove", "--config", retired, "--force", "--dns")
