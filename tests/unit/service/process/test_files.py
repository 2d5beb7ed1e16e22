"""Replacing a file in one step."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.service.process.files import replace_file, set_aside


def test_content_and_mode(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("old")
    replace_file(file, b"new", 0o600)
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(ManageoutError, match="No such file"):
        replace_file(tmp_path / "missing" / "f", b"", 0o600)


def test_nothing_is_left_when_it_cannot_be_put_in_place(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    with pytest.raises(ManageoutError):
        replace_file(tmp_path / "f", b"x", 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_the_file_and_then_its_name_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def noting(fd: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{fd}"))
        real(fd)

    monkeypatch.setattr(os, "fsync", noting)
    replace_file(tmp_path / "f", b"x", 0o600)
    assert len(synced) == 2 and synced[0].startswith(f"{tmp_path}/.f.") and synced[1] == str(tmp_path)


@pytest.mark.parametrize(("number", "fails"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_filesystem_that_cannot_sync_a_directory_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, fails: bool
) -> None:
    real = os.fsync

    def refusing(fd: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{fd}"):
            raise OSError(number, os.strerror(number))
        real(fd)

    monkeypatch.setattr(os, "fsync", refusing)
    with pytest.raises(ManageoutError) if fails else contextlib.nullcontext():
        replace_file(tmp_path / "f", b"x", 0o600)
    assert (tmp_path / "f").read_bytes() == b"x"


def test_a_databases_log_goes_aside_with_it(tmp_path: Path) -> None:
    for name in ("x.db", "x.db-wal", "x.db-shm"):
        (tmp_path / name).write_text(name)
    aside = set_aside(tmp_path / "x.db")
    left = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert aside.name == "x.unreadable"
    assert left == {
        "x.unreadable": "x.db",
        "x.unreadable-wal": "x.db-wal",
        "x.unreadable-shm": "x.db-shm",
    }
