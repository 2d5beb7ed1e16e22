"""sd_notify over a real datagram socket."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from manageout.linux import systemd


def test_notify_reaches_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        systemd.notify("READY=1")
        assert listener.recv(100) == b"READY=1"
        systemd.reloading()
        assert listener.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")


def test_an_abstract_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0manageout-test-notify")
        monkeypatch.setenv("NOTIFY_SOCKET", "@manageout-test-notify")
        systemd.notify("STOPPING=1")
        assert listener.recv(100) == b"STOPPING=1"


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    systemd.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "absent"))
    systemd.notify("READY=1")


@pytest.mark.parametrize(("microseconds", "seconds"), [("30000000", 15.0), ("", None), ("x", None)])
def test_watchdog(monkeypatch: pytest.MonkeyPatch, microseconds: str, seconds: float | None) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    assert systemd.watchdog_interval() == seconds
