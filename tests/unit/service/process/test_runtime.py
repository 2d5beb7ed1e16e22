"""One process a directory; what a killed one has left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.service.process.runtime import RuntimeDir

HOLD = """
import sys, pathlib
from manageout.service.process.runtime import RuntimeDir
with RuntimeDir(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_directory_is_made_and_locked(tmp_path: Path) -> None:
    directory = RuntimeDir(tmp_path / "a" / "b")
    assert not directory.busy()
    with directory:
        assert directory.busy()
        assert directory.control_socket == tmp_path / "a" / "b" / "control.sock"
    assert not directory.busy()


def test_a_second_process_is_told_who_is_there(tmp_path: Path) -> None:
    with RuntimeDir(tmp_path):
        with pytest.raises(ManageoutError) as caught, RuntimeDir(tmp_path):
            pass
        assert f"process {os.getpid()}" in caught.value.message
        assert caught.value.hint


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        assert RuntimeDir(tmp_path).busy()
        process.kill()
    with RuntimeDir(tmp_path):
        pass


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ManageoutError) as caught, RuntimeDir(tmp_path / "file"):
        pass
    assert "runtime-dir" in caught.value.hint


def test_what_is_to_be_undone_is_remembered(tmp_path: Path) -> None:
    directory = RuntimeDir(tmp_path)
    assert directory.remembered() == {}
    directory.remember({"filter": True})
    assert RuntimeDir(tmp_path).remembered() == {"filter": True}
    directory.remember({})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00"])
def test_a_damaged_memory_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "undo.json").write_text(text)
    assert RuntimeDir(tmp_path).remembered() == {}


def test_what_cannot_be_noted_is_said(tmp_path: Path) -> None:
    with pytest.raises(ManageoutError, match="cannot note what has to be undone"):
        RuntimeDir(tmp_path / "gone").remember({"sysctls": {}})


def test_without_room_what_is_noted_already_may_be_done_again(tmp_path: Path) -> None:
    directory = RuntimeDir(tmp_path)
    directory.remember({"filter": True})
    (tmp_path / "undo.new").mkdir()  # nothing can be written there any more
    directory.remember({"filter": True})
    with pytest.raises(ManageoutError, match="cannot note"):
        directory.remember({"filter": False})
    (tmp_path / "undo.new").rmdir()
    directory.remember({"filter": False})
    assert RuntimeDir(tmp_path).remembered() == {"filter": False}


def test_a_note_in_depths_counts_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "undo.json").write_text("[" * 100_000)
    assert RuntimeDir(tmp_path).remembered() == {}


def test_that_the_rules_were_gone_is_known_to_the_next_process(tmp_path: Path) -> None:
    with RuntimeDir(tmp_path) as directory:
        assert not directory.torn
        directory.tear()
    assert RuntimeDir(tmp_path).torn
