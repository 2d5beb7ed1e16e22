"""Asking a process over its control socket, and what is said when that fails."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from manageout.errors import DaemonUnreachable, ManageoutError
from manageout.service.process import client
from manageout.service.process.client import ask
from tests.unit.conftest import Serve


def test_an_answer(serve: Serve) -> None:
    directory = serve({"hosts": [{"ipv4": "10.0.1.30"}]})
    assert ask(directory / "control.sock", "hosts") == [{"ipv4": "10.0.1.30"}]


def test_a_long_answer_comes_whole(serve: Serve) -> None:
    rows = [{"ipv4": f"10.0.{n >> 8}.{n & 255}"} for n in range(5001)]
    assert ask(serve({"hosts": rows}) / "control.sock", "hosts") == rows


def test_a_command_that_the_process_does_not_know(serve: Serve) -> None:
    with pytest.raises(ManageoutError) as caught:
        ask(serve({"status": {}}) / "control.sock", "clients")
    assert "does not know" in caught.value.message
    assert "status" in caught.value.hint


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(DaemonUnreachable) as caught:
        ask(tmp_path / "control.sock", "status")
    assert caught.value.exit_code == 3
    assert caught.value.hint


def test_a_socket_that_a_dead_process_left(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "control.sock"))
    with pytest.raises(DaemonUnreachable):
        ask(tmp_path / "control.sock", "status")


@pytest.mark.parametrize("answer", [b"", b"what?\n", b"[]\n"])
def test_answers_that_are_none(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(DaemonUnreachable):
            ask(path, "status")
        thread.join(10)


def test_who_is_refused_before_it_can_ask_is_told_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        connect = client._connect

        def connect_and_be_refused(connection: socket.socket, to: Path) -> None:
            connect(connection, to)
            refused, _ = listener.accept()
            refused.sendall(b'{"error": "too many connections", "hint": "end some"}\n')
            refused.close()

        monkeypatch.setattr(client, "_connect", connect_and_be_refused)
        with pytest.raises(ManageoutError, match="too many connections"):
            ask(path, "status")


def test_a_path_longer_than_a_socket_name_may_be(tmp_path: Path) -> None:
    from tests.unit.conftest import serving

    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    with serving(deep, {"status": {"pid": 1}}):
        assert ask(deep / "control.sock", "status") == {"pid": 1}
