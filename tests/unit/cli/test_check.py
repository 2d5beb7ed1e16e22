"""``manageout check``, as far as the file goes."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from manageout.cli.check import check


def test_a_broken_file_is_json_too(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('[site]\ndomian = "corp.example"\n')
    result = CliRunner().invoke(check, ["--config", str(file), "--json"])
    rows = {row["check"]: row for row in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert rows["site.domian"]["severity"] == "error"
    assert "domain" in rows["site.domian"]["remedy"]
