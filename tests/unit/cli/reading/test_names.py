"""``manageout names remove``: what it refuses, and that it may find nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from manageout.cli.reading.names import names
from manageout.errors import ManageoutError
from tests.tools import site_file
from tests.tools.commands import run
from tests.tools.site_file import GATEWAY

SITE = site_file.SITE + site_file.DOMAIN + GATEWAY


def test_without_the_table_of_names_it_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(SITE)
    with pytest.raises(ManageoutError, match=r"no \[names\]"):
        run(names, "remove", "--config", str(file))


def test_nothing_of_ours(tmp_path: Path) -> None:
    file, key = tmp_path / "site.toml", tmp_path / "update.key"
    key.write_text('key "manageout" { algorithm hmac-sha256; secret "c2VjcmV0"; };\n')
    table = f'[names]\nservers = ["10.0.0.10"]\nauthentication = "tsig"\nkey_file = "{key}"\n'
    folders = f'[daemon]\nstate_dir = "{tmp_path}"\nruntime_dir = "{tmp_path}"\n'
    file.write_text(SITE + table + folders)
    assert run(names, "remove", "--config", str(file)).output == "There is nothing of ours.\n"
