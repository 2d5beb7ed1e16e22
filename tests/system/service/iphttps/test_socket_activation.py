"""The listening socket comes with the process and outlives it, as with systemd's manageout.socket."""

from __future__ import annotations

import contextlib
import os
import signal
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manageout.lab.process import wait_until
from manageout.site.tables.site import GatewayTable
from manageout.wire.iphttps import build_request
from tests.tools.places.iphttps import GATEWAY_NAME, GATEWAY_V4, Pair, Running

REQUEST = build_request("/IPHTTPS", GATEWAY_NAME)
UNIT = Path(__file__).parents[4] / "packaging" / "systemd" / "manageout.socket"

# What systemd does with a socket unit: open, keep, and hand down (sd_listen_fds(3)); each "start" line starts again.
LAUNCHER = """
import os, socket, subprocess, sys, time
place, *argv = sys.argv[1:]
host, _, port = place.rpartition(":")
kept = socket.create_server((host, int(port)), backlog=1024)
if kept.fileno() != 3:
    os.dup2(kept.fileno(), 3)
os.set_inheritable(3, True)
shell = 'export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=iphttps; exec "$@"'
while True:
    daemon = subprocess.Popen(["sh", "-c", shell, "sh", *argv], pass_fds=(3,))
    print("started", daemon.pid, flush=True)
    print("ended", daemon.wait(), flush=True)
    while not os.path.exists("again"):
        time.sleep(0.02)
    os.remove("again")
"""


class Place(Pair):
    """The pair, whose gateway is started by the launcher."""

    launcher: Running

    def launch(self, place: str = f"{GATEWAY_V4}:443", gateway: str = "") -> None:
        """The daemon, ready; the launcher keeps ``place`` open."""
        file = self.write_site(gateway or f'listen = ["{GATEWAY_V4}:443"]')
        argv = [
            "env",
            "-C",
            str(self.directory),
            sys.executable,
            "-c",
            LAUNCHER,
            place,
            sys.executable,
            "-m",
            "manageout",
        ]
        argv += ["run", "--config", str(file), "--runtime-dir", str(self.directory / "gw")]
        self.launcher = self.start("gw", *argv, name="launcher")
        self.serves(1)

    def serves(self, times: int) -> None:
        """Wait until the daemon serves for the n-th time."""
        wait_until(
            "it serves", lambda: self.launcher.text().count("ready: ") == times and self.ask("status"), 30
        )

    def end(self, kill: bool) -> None:
        """End the daemon; the launcher stays."""
        pid = int(self.launcher.text().rpartition("started ")[2].split()[0])
        ends = self.launcher.text().count("ended ")
        os.kill(pid, signal.SIGKILL if kill else signal.SIGTERM)
        wait_until("it has ended", lambda: self.launcher.text().count("ended ") > ends)

    def again(self) -> None:
        """Let the launcher start it once more."""
        (self.directory / "again").touch()

    def codes(self) -> set[str]:
        """Of what ``status`` finds."""
        return {row["code"] for row in self.ask("status")["findings"]}

    def role(self) -> dict[str, Any]:
        """The listener in ``status``."""
        found: dict[str, Any] = self.ask("status")["roles"]["iphttps"]
        return found


@pytest.fixture
def place() -> Iterator[Place]:
    with Place() as place:
        try:
            yield place
        finally:
            with contextlib.suppress(Exception):
                place.end(kill=True)


def greet(place: Place, name: str) -> bytes:
    with place.tls(name) as tls:
        tls.sendall(REQUEST)
        return tls.recv(4096)


@pytest.mark.parametrize("kill", [False, True])
def test_who_comes_while_it_restarts_waits_and_is_served(place: Place, kill: bool) -> None:
    place.launch()
    assert greet(place, "laptop.corp.example").startswith(b"HTTP/1.1 200")
    assert place.role()["listen"] == [f"{GATEWAY_V4}:443"]
    assert not {code for code in place.codes() if code.startswith("LISTEN-")}
    place.end(kill)
    waiting = [place.tcp() for _ in range(20)]  # nobody refuses them
    context = ssl.create_default_context(cafile=str(place.ca.certificate_path))
    pki = place.ca.directory
    context.load_cert_chain(pki / "laptop.corp.example.pem", pki / "laptop.corp.example.key")
    place.again()
    for sock in waiting[:3]:
        sock.settimeout(30)
        with context.wrap_socket(sock, server_hostname=GATEWAY_NAME) as tls:
            tls.sendall(REQUEST)
            assert tls.recv(4096).startswith(b"HTTP/1.1 200")
    place.serves(2)
    for sock in waiting[3:]:
        sock.close()


def test_who_left_the_queue_while_nobody_served_counts_against_nobody(place: Place) -> None:
    """Clients behind one NAT give up and come again, for minutes; then the gateway starts."""
    place.launch()
    assert greet(place, "laptop.corp.example").startswith(b"HTTP/1.1 200")
    place.end(kill=False)
    hello, incoming = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(incoming, hello, server_hostname=GATEWAY_NAME).do_handshake()
    words = hello.read()
    for _ in range(600):
        with place.tcp() as sock:
            sock.sendall(words)
    place.again()
    assert greet(place, "laptop.corp.example").startswith(b"HTTP/1.1 200")
    place.serves(2)
    assert place.drops() == {}


def test_a_site_file_that_says_something_else_is_found(place: Place) -> None:
    place.launch(place="127.0.0.1:443")
    assert place.codes() >= {"LISTEN-UNUSED", "LISTEN-NOT-KEPT"}
    (unused,) = [row for row in place.ask("status")["findings"] if row["code"] == "LISTEN-UNUSED"]
    assert "127.0.0.1:443" in unused["what"] and "ListenStream=" in unused["remedy"]
    assert greet(place, "laptop.corp.example").startswith(b"HTTP/1.1 200")


def test_the_unit_says_what_the_site_file_says_by_default() -> None:
    lines = UNIT.read_text().splitlines()
    default = GatewayTable.model_fields["listen"].default
    assert [line.partition("=")[2] for line in lines if line.startswith("ListenStream=")] == list(default)
    assert "BindIPv6Only=ipv6-only" in lines and "Accept=no" in lines
