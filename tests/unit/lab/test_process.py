"""Programs on the lab's nodes: what is told about them."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
from pathlib import Path

import pytest

from manageout.errors import LabError
from manageout.lab import network, process
from manageout.lab.process import Process, wait_until


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node's directory that is not in /run."""
    monkeypatch.setattr(network, "STATE", tmp_path)
    directory = tmp_path / "dc"
    directory.mkdir()
    return directory


def test_a_process_that_ended_is_not_alive_even_unreaped() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not Process("dc", "true", child.pid).alive
    child.wait()
    assert not Process("dc", "true", child.pid).alive
    assert Process("dc", "us", os.getpid()).alive


def test_find_by_pid_file(state: Path) -> None:
    (state / "named.pid").write_text(str(os.getpid()))
    (state / "web.pid").write_text("0")
    assert process.find("dc", "named") == Process("dc", "named", os.getpid())
    assert process.find("dc", "web") is None
    assert process.find("dc", "other") is None
    assert process.running() == [Process("dc", "named", os.getpid())]


def test_listens() -> None:
    us = Process("dc", "us", os.getpid())
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert us.listens(port)
    assert not us.listens(port)


def test_wait_until_returns_what_became_true() -> None:
    values = itertools.chain([0, None], itertools.repeat(7))
    assert wait_until("seven", lambda: next(values), 5) == 7


def test_wait_until_tells_who_ended_and_its_last_words(state: Path) -> None:
    dead = Process("dc", "named", 0)
    dead.log.write_text("one\nlast words\n")
    with pytest.raises(LabError, match="it serves: named on dc ended") as caught:
        wait_until("it serves", lambda: False, 5, [dead])
    assert "last words" in caught.value.hint


def test_wait_until_gives_up() -> None:
    with pytest.raises(LabError, match="it serves: not after 0 s"):
        wait_until("it serves", lambda: False, 0)
