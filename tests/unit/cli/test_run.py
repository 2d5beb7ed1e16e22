"""``manageout run``: what is said before anything is touched. The daemon itself: system/service/daemon."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.tools import commands

manageout = partial(commands.manageout, check=False)


def test_every_fault_of_the_file_is_shown_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('[site]\nprefix = "fd12::/32"\n[isatap]\nname = "isatap"\nlocators = ["10.0.0.300"]\n')
    result = manageout("run", "--config", str(file), "--runtime-dir", str(tmp_path / "run"))
    assert result.returncode == 1
    assert result.stdout == ""
    for part in ("3 faults", "site.prefix: ", "isatap.name: ", "isatap.locators.0: "):
        assert part in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()


def test_no_file(tmp_path: Path) -> None:
    result = manageout("run", "--config", str(tmp_path / "absent.toml"))
    assert result.returncode == 1
    assert "cannot be read" in result.stderr
