"""The scripts for Windows machines, byte for byte as an administrator gets them.

After a change that is meant: ``MANAGEOUT_RENEW=1 python -m pytest tests/unit/cli/rollout/test_rollout_golden.py``, and
read the difference before it is committed: no machine runs these scripts in the tests.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from manageout.cli.rollout.rollout import rollout
from tests.tools.commands import run

GOLDEN = Path(__file__).with_name("golden")
SITE = """
[site]
prefix = "fd12:3456:789a::/48"
domain = "corp.example"
[isatap]
locators = ["10.0.0.5"]
routers = ["10.0.0.6"]
name = "manageout-isatap.corp.example"
"""
LIST = ("--computer", "pc1", "--computer", "pc2.corp.example")
CASES = {
    f"{command}-{way}{'-list' if computers else ''}.{'cmd' if command == 'netsh' else 'ps1'}": (
        command,
        *(["--undo"] if way == "undo" else []),
        *computers,
    )
    for command in ("powershell", "netsh", "hosts-file")
    for way in ("do", "undo")
    for computers in ((), LIST)
} | {"server-reset.ps1": ("server-reset",)}


@pytest.mark.parametrize("name", CASES)
def test_a_script_is_as_it_was_read(name: str, tmp_path: Path) -> None:
    site, output = tmp_path / "site.toml", tmp_path / name
    site.write_text(SITE)
    command, *options = CASES[name]
    if command != "server-reset":
        options += ["--config", str(site)]
    run(rollout, command, *options, "--output", str(output))
    if os.environ.get("MANAGEOUT_RENEW"):
        (GOLDEN / name).write_bytes(output.read_bytes())
    assert output.read_bytes() == (GOLDEN / name).read_bytes()


def test_nothing_else_lies_there() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(CASES)
