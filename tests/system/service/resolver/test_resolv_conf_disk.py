"""The resolver's file on a disk that is full or read-only: no traceback, and no machine without DNS."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.service.resolver.resolv_conf import ResolvConf

STUB = "127.0.0.153"
TEXT = "nameserver 192.168.1.1\nsearch home.example\n"


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    mount("-t", "tmpfs", "-o", "size=64k", "etc", str(tmp_path))
    file = tmp_path / "resolv.conf"
    file.write_text(TEXT)
    try:
        yield file
    finally:
        subprocess.run(["umount", "--recursive", str(tmp_path)], check=True)


def fill(directory: Path) -> None:
    with (
        (directory / "filler").open("wb", buffering=0) as filler,
        pytest.raises(OSError, match="No space left"),
    ):
        while True:
            filler.write(bytes(4096))


def test_a_full_disk_gives_back_what_was_there(file: Path) -> None:
    ours = ResolvConf(file)
    ours.take(STUB)
    fill(file.parent)
    ours.give_back()
    assert file.read_text() == TEXT and not ours.taken
    with pytest.raises(ManageoutError, match="No space left"):  # ours is longer: half of it would be none
        ours.take(STUB)
    assert file.read_text() == TEXT
    assert sorted(os.listdir(file.parent)) == ["filler", "resolv.conf"], "nothing is left beside it"


def test_a_disk_that_has_become_read_only_is_said(file: Path) -> None:
    ours = ResolvConf(file)
    ours.take(STUB)
    mount("-o", "remount,ro", str(file.parent))
    with pytest.raises(ManageoutError, match="cannot be given back: Read-only") as caught:
        ours.give_back()
    assert "by hand" in caught.value.hint and ours.taken
    with pytest.raises(ManageoutError, match="Read-only") as caught:
        ours.take(STUB, ["corp.example"])
    assert "--resolver off" in caught.value.hint


def test_a_file_that_is_mounted_into_a_read_only_directory(
    file: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As in a container with a root file system that is read-only."""
    outside = tmp_path_factory.mktemp("outside") / "resolv.conf"
    outside.write_text(TEXT)
    mount("--bind", str(outside), str(file))
    mount("-o", "remount,ro", str(file.parent))
    ours = ResolvConf(file)
    ours.take(STUB)
    assert f"\nnameserver {STUB}\n" in outside.read_text()
    ours.give_back()
    assert outside.read_text() == TEXT and stat.S_ISREG(file.stat().st_mode)


def test_a_link_in_a_read_only_directory_is_not_written_through(file: Path) -> None:
    """It leads to another program's file, and could not be put back."""
    theirs = file.with_name("theirs")
    file.rename(theirs)
    file.symlink_to("theirs")
    mount("--bind", str(theirs), str(theirs))
    mount("-o", "remount,ro", str(file.parent))
    ours = ResolvConf(file)
    with pytest.raises(ManageoutError, match="Read-only") as caught:
        ours.take(STUB)
    assert "systemd-resolved" in caught.value.hint and not ours.taken
    assert theirs.read_text() == TEXT
