"""``manageout retire report``: what it writes."""

from __future__ import annotations

from pathlib import Path

from manageout.cli.retire.retire import retire
from tests.tools.commands import run


def test_a_page_and_markdown_in_a_new_folder(file: str, tmp_path: Path) -> None:
    told = run(retire, "report", "--config", file, "--output", str(tmp_path / "new")).output
    assert "retirement.html is written" in told and "retirement.md is written" in told
    assert "The retirement has not begun." in (tmp_path / "new" / "retirement.md").read_text()
    assert "<h1>Retirement of ISATAP" in (tmp_path / "new" / "retirement.html").read_text()
