"""sd_notify over a real datagram socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from manageout.linux.host import systemd


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
    """Nothing is sent anywhere, and nothing made."""
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        for address in (None, "", str(tmp_path / "absent"), str(tmp_path)):
            monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
            if address is not None:
                monkeypatch.setenv("NOTIFY_SOCKET", address)
            systemd.notify("READY=1")
        with pytest.raises(BlockingIOError):
            listener.recv(100)
    assert [path.name for path in tmp_path.iterdir()] == ["notify"]


@pytest.mark.parametrize(("microseconds", "seconds"), [("30000000", 15.0), ("", None), ("x", None)])
def test_watchdog(monkeypatch: pytest.MonkeyPatch, microseconds: str, seconds: float | None) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    assert systemd.watchdog_interval() == seconds


_CHILD = """
import os, sys
from manageout.linux.host import systemd
os.environ["LISTEN_PID"] = str(os.getpid() + int(sys.argv[1]))
found = systemd.inherited_sockets()
print([sock.getsockname()[1] for sock in found], [sock.get_inheritable() for sock in found])
print(systemd.inherited_sockets(), [name for name in os.environ if name.startswith("LISTEN_")])
"""


@pytest.mark.parametrize(
    ("other", "count", "wanted"), [(0, "2", 1), (1, "2", 0), (0, "x", 0), (0, "", 0), (0, "-1", 0)]
)
def test_sockets_come_with_the_process_once(other: int, count: str, wanted: int) -> None:
    """Descriptor 3 is a socket, 4 is none."""
    with socket.create_server(("127.0.0.1", 0)) as kept, open(os.devnull) as file:
        port = kept.getsockname()[1]
        shell = f'exec 3<&{kept.fileno()} 4<&{file.fileno()}; exec "$@"'
        argv = ["bash", "-c", shell, "bash", sys.executable, "-c", _CHILD, str(other)]
        done = subprocess.run(
            argv,
            env={**os.environ, "LISTEN_FDS": count, "LISTEN_FDNAMES": "iphttps:x"},
            pass_fds=(kept.fileno(), file.fileno()),
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.splitlines() == [f"{[port] * wanted} {[False] * wanted}", "[] []"]


def test_where_a_socket_unit_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert systemd.kept_places("manageout.socket") == []
    program = tmp_path / "systemctl"
    for state, places in (("active", ["0.0.0.0:443", "[::]:443"]), ("inactive", [])):
        text = f"ActiveState={state}\nListen=0.0.0.0:443 (Stream)\nListen=[::]:443 (Stream)"
        program.write_text(f"#!/bin/sh\necho '{text}'\n")
        program.chmod(0o755)
        assert systemd.kept_places("manageout.socket") == places
