"""``manageout check``, as far as the file goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manageout.cli.check import _named, check
from manageout.service.check.found import Remark
from tests.tools.commands import run


def test_a_broken_file_is_json_too(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('[site]\ndomian = "corp.example"\n')
    result = run(check, "--config", str(file), "--json", code=1)
    rows = {row["check"]: row for row in json.loads(result.stdout)}
    assert rows["site.domian"]["severity"] == "error"
    assert "domain" in rows["site.domian"]["remedy"]


@pytest.mark.parametrize(
    ("message", "remedy", "option"),
    [
        ("isatap.hosts is empty: no host is answered", "", "isatap.hosts"),
        ("policy.managers.0.to: no client", "", "policy.managers.0.to"),
        ("everybody may connect", 'set gateway.authentication = "certificates"', "gateway.authentication"),
        ("gateway.corp.example does not resolve", "create the records", ""),
        ("manageout-isatap.name.example does not resolve", "see site.toml", ""),
        ("gateway.certificate /etc/gateway.key: no", "", "gateway.certificate"),
    ],
)
def test_which_option_a_finding_names(message: str, remedy: str, option: str) -> None:
    assert _named(Remark("note", message, remedy)) == option
