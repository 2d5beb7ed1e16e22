"""``manageout lab``: what it says of a lab, and without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manageout.cli.lab import lab
from manageout.lab import network
from tests.tools.commands import run


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(network, "STATE", tmp_path)
    return tmp_path


def test_without_a_lab(state: Path) -> None:
    assert run(lab, "list").output == "There is no lab.\n"
    assert json.loads(run(lab, "list", "--json").output) == {"topology": None, "nodes": []}


def test_every_node_with_its_addresses(state: Path) -> None:
    (state / "topology").write_text("single\n")
    heading, *lines = run(lab, "list").output.splitlines()
    assert heading.split() == ["NODE", "ROLE", "ADDRESSES", "RUNNING"]
    (first,) = (number for number, line in enumerate(lines) if line.startswith("gateway"))
    assert "198.51.100.10/24" in lines[first] and lines[first].endswith("-")
    assert lines[first + 1].split() == ["10.0.0.1/24"]
    nodes = {row["name"]: row for row in json.loads(run(lab, "list", "--json").output)["nodes"]}
    assert nodes["dc"]["namespace"] == "mo-dc" and nodes["dc"]["directory"] == str(state / "dc")
