"""``manageout import``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from manageout.cli.import_ import import_
from manageout.errors import ManageoutError
from manageout.site.contradictions import read_site
from tests.tools import commands
from tests.unit.imports.farm_evidence import PASTED, bundle

run = partial(commands.run, import_, "--locator", "10.0.0.1")


def test_files_of_the_collector(tmp_path: Path) -> None:
    files = []
    for number in (1, 2):
        file = tmp_path / f"da{number}.json"
        file.write_bytes(b"\xef\xbb\xbf" + bundle(number).encode())  # as Windows PowerShell writes UTF-8
        files.append(str(file))
    out = tmp_path / "site.toml"
    done = run(*files, "--host", "10.0.1.0/24", "-o", str(out))
    assert "Taken" in done.stderr and "Not understood" not in done.stderr
    site, _ = read_site(out)
    assert site.isatap and len(site.isatap.routes) == 2
    with pytest.raises(ManageoutError, match="there already"):
        run(*files, "-o", str(out))


def test_pasted(tmp_path: Path) -> None:
    done = run("--via", "2002:836b:1:1000::/64=2002:836b:1:2::11", pasted=PASTED)
    assert "[[isatap.routes]]" in done.stdout and "NewerThanThis" in done.stderr
    out = tmp_path / "site.toml"
    out.write_text(done.stdout)
    read_site(out)


def test_the_report_is_folded_and_its_commands_are_whole() -> None:
    done = run("-", pasted=PASTED)
    assert all(len(line) <= 100 for line in done.stderr.splitlines())
    assert "      Set-NetIsatapConfiguration -State Disabled\n" in done.stderr


@pytest.mark.parametrize("wrong", [("--via", "x"), ("--via", "a=b"), ("--via", "1/2=::1"), ("--host", "h")])
def test_values_that_are_none(wrong: tuple[str, str]) -> None:
    run(*wrong, pasted=PASTED, code=2)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ManageoutError, match="No such file"):
        run(str(tmp_path / "none"))
