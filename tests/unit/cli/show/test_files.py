"""Files that commands write where the user says."""

from __future__ import annotations

from pathlib import Path

import pytest

from manageout.cli.show.files import save, write
from manageout.errors import ManageoutError


def test_its_folder_is_made_and_it_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "file"
    write(path, b"1")
    save(path, b"2")
    assert path.read_bytes() == b"2" and path.stat().st_mode & 0o777 == 0o644
    assert capsys.readouterr().out == f"{path} is written\n"


def test_a_place_that_cannot_be_is_named_with_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ManageoutError, match=r"Not a directory|File exists") as refused:
        save(tmp_path / "file" / "below", b"", "--scripts")
    assert refused.value.hint == "choose another --scripts"
