"""The demo passes in both topologies, with and without eBPF, and leaves nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manageout.lab.steps import STEPS
from manageout.lab.topology import NAMES
from tests.system.support import machine_state, manageout


@pytest.mark.parametrize("name", NAMES)
def test_demo(name: str, tmp_path: Path) -> None:
    before = machine_state()
    file = tmp_path / "demo.json"
    result = manageout("lab", "demo", "--topology", name, "--json", str(file), check=False)
    print(result.stdout)
    steps = json.loads(file.read_text())
    assert [step for step in steps if step["verdict"] != "ok"] == []
    assert result.returncode == 0, result.stderr
    assert [step["name"] for step in steps] == 2 * [name for name, _ in STEPS]
    assert "192.168.1.0/24" in result.stdout and "fd12:3456:789a:1:0:5efe:a00:11e" in result.stdout
    assert machine_state() == before
