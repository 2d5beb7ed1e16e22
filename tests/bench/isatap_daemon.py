"""A daemon with an ISATAP router, and a crowd of hosts in one namespace that solicits it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from manageout.linux.host import netns
from manageout.service.process.client import ask
from manageout.wire import ipv4, nd
from manageout.wire.address import isatap_link_local
from tests.tools.commands import MANAGEOUT

CROWD = "mo-crowd"
ROUTER = bytes((10, 0, 0, 1))
FIRST = 10 << 24 | 64 << 16
"""The crowd's addresses: 10.64.0.0 and up."""
WINDOW = 20000
"""Solicitations without an answer yet; at 50,000 a second 12,500 wait for their random delay."""
BURST = 128
PATIENCE = 2.0

_SITE = """
[site]
name = "bench"
prefix = "fd12:3456:789a::/48"
[isatap]
locators = ["10.0.0.1"]
hosts = ["10.64.0.0/10"]
advertise = ["fd12:3456:789a:1000::/59"]
rs_per_second = 1000000
max_hosts = 200000
[daemon]
metrics = "off"
state_dir = "{directory}"
runtime_dir = "{directory}"
log_level = "warning"
"""


class Daemon(NamedTuple):
    """A daemon that is up. ``directory`` has its site file, state and control socket."""

    pid: int
    directory: Path

    def ask(self, command: str) -> Any:
        """One question to the control socket."""
        return ask(self.directory / "control.sock", command)


@contextmanager
def daemon(fast_path: bool = True) -> Iterator[Daemon]:
    """Run a daemon here and the crowd's namespace next to it."""
    _run(*["ip", "link", "add", "mo-bench", "type", "veth", "peer", "name", "crowd"])
    netns.create(CROWD)
    _run(*f"ip link set crowd netns {CROWD}".split())
    _run(*["ip", "address", "add", "10.0.0.1/24", "dev", "mo-bench"])
    _run(*["ip", "link", "set", "mo-bench", "up"])
    for command in ("address add 10.0.0.2/24 dev crowd", "link set crowd up"):
        _run("ip", "-n", CROWD, *command.split())
    _run(*["ip", "route", "add", "10.64.0.0/10", "via", "10.0.0.2"])
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        site = directory / "site.toml"
        more = "" if fast_path else "fast_path = false\n"
        site.write_text(_SITE.format(directory=directory) + more)
        child = subprocess.Popen([*MANAGEOUT, "run", "--config", str(site)])
        try:
            _wait_for(directory / "control.sock", child)
            yield Daemon(child.pid, directory)
        finally:
            child.terminate()
            child.wait(30)
            netns.delete(CROWD)


def solicit(count: int, start: int = 0) -> float:
    """Let ``count`` hosts, from number ``start`` on, solicit once each, as fast as they are answered.

    Answers a second, between the first and the last tenth of them.
    """
    argv = [sys.executable, "-m", "tests.bench.isatap_daemon", str(count), str(start)]
    return float(netns.run(CROWD, argv).stdout)


def _crowd(count: int, start: int) -> float:
    """Solicit through a packet socket, at most :data:`WINDOW` ahead of the answers."""
    packets = [_solicitation((FIRST + start + number).to_bytes(4, "big")) for number in range(count)]
    out = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    subprocess.run(["ping", "-c", "1", "-W", "2", "10.0.0.1"], check=True, stdout=subprocess.DEVNULL)
    target = ("crowd", 0x0800, 0, 0, _neighbour())
    before, sent, progress = _received(), 0, [(0, time.monotonic())]
    while progress[-1][0] < count and time.monotonic() - progress[-1][1] < PATIENCE:
        answered = _received() - before
        if answered > progress[-1][0]:
            progress.append((answered, time.monotonic()))
        if sent < count and sent - answered < WINDOW:
            for packet in packets[sent : sent + BURST]:
                out.sendto(packet, target)
            sent += BURST
        else:
            time.sleep(0.001)
    return _rate(progress)


def _received() -> int:
    """Packets that have reached the namespace."""
    with open("/proc/thread-self/net/dev") as table:
        line = next(line for line in table if line.lstrip().startswith("crowd:"))
    return int(line.split()[2])


def _rate(progress: Sequence[tuple[int, float]]) -> float:
    """Answers a second in the middle 80 %."""
    last = progress[-1][0]
    middle = [(number, when) for number, when in progress if last * 0.1 <= number <= last * 0.9]
    (first, began), (final, ended) = middle[0], middle[-1]
    return (final - first) / (ended - began)


def _solicitation(v4: bytes) -> bytes:
    return ipv4.build(
        v4, ROUTER, 41, nd.build(isatap_link_local(v4), nd.ALL_ROUTERS, nd.RouterSolicitation())
    )


def _neighbour() -> bytes:
    text = subprocess.run(
        ["ip", "-j", "neighbour", "show", "10.0.0.1"], capture_output=True, check=True
    ).stdout
    return bytes.fromhex(json.loads(text)[0]["lladdr"].replace(":", ""))


def _wait_for(path: Path, child: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if path.exists():
            return
        assert child.poll() is None, "the daemon ended"
        time.sleep(0.05)
    raise AssertionError("the daemon does not answer")


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True)


if __name__ == "__main__":
    print(_crowd(int(sys.argv[1]), int(sys.argv[2])))
