"""A namespace with one intranet device, and the daemon in it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manageout.errors import DaemonUnreachable
from manageout.lab.network import PATIENCE
from manageout.lab.process import wait_until
from manageout.linux.host import netns
from manageout.service.process import client
from tests.tools.commands import MANAGEOUT
from tests.tools.lab import machine_state

NAME = "mo-test-daemon"
PREFIX = "fd12:3456:789a"
ROUTER = """
[isatap]
name = "manageout-isatap.corp.example"
locators = ["10.0.0.1"]
hosts = ["10.0.1.30/32"]
"""
ROUTE = f"""
[[isatap.routes]]
prefix = "{PREFIX}:1001::/64"
via = "fd99::2"
"""


class Place:
    """``directory`` holds site file, runtime directory and state; ``pki`` the certificates for a gateway."""

    def __init__(self, directory: Path, pki: Path) -> None:
        self.directory, self.runtime = directory, directory / "run"
        self.file = directory / "site.toml"
        self.gateway = f"""
[gateway]
listen = ["10.0.0.1:443"]
certificate = "{pki}/gateway.corp.example.pem"
key = "{pki}/gateway.corp.example.key"
client_ca = "{pki}/ca.pem"
"""
        self.write(ROUTER)
        self._started: list[subprocess.Popen[str]] = []
        for command in (
            "ip link add e0 type veth peer name e1",
            "ip address add 10.0.0.1/24 dev e0",
            "ip address add fd99::1/64 dev e0 nodad",
            # The kernel would give each device a link-local address in its own time: have none.
            "sysctl -q net.ipv6.conf.e0.addr_gen_mode=1 net.ipv6.conf.e1.addr_gen_mode=1",
            "ip link set e1 up",
            "ip link set e0 up",
        ):
            self.run(command.split())
        wait_until("both ends are up", self._settled, 10)

    def _settled(self) -> bool:
        routes = self.run(["ip", "-6", "route", "show", "table", "all"]).stdout
        return routes.count("multicast") == 2 and "linkdown" not in self.run(["ip", "route"]).stdout

    def write(self, *tables: str, daemon: str = "") -> None:
        """A site file with ``tables``; ``daemon`` adds to its ``[daemon]`` table."""
        head = f'[site]\nprefix = "{PREFIX}::/48"\n[daemon]\nstate_dir = "{self.directory}/state"\n'
        self.file.write_text(head + daemon + "".join(tables))

    def run(self, argv: Sequence[str], check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run something in the namespace."""
        return netns.run(NAME, argv, check)

    def options(self, runtime: Path | None = None) -> list[str]:
        """Of ``manageout run``."""
        return ["--config", str(self.file), "--runtime-dir", str(runtime or self.runtime)]

    def argv(self, *arguments: str, prefix: Sequence[str] = (), runtime: Path | None = None) -> list[str]:
        """``manageout run`` in the namespace; ``prefix`` is a command that runs it."""
        run = [*prefix, *MANAGEOUT, "run", *self.options(runtime), *arguments]
        return netns.command(NAME, run)

    def fails(self, *prefix: str, runtime: Path | None = None) -> tuple[int, list[str]]:
        """Run the daemon, which cannot start; exit code and what it says itself, without its log."""
        command = self.argv(prefix=prefix, runtime=runtime)
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60 * PATIENCE)
        assert "Traceback" not in result.stderr
        log = re.compile(r"\d{4}-\d\d-\d\d ")
        return result.returncode, [line for line in result.stderr.splitlines() if not log.match(line)]

    def start(self, *prefix: str, whole: bool = False) -> subprocess.Popen[str]:
        """Start the daemon and wait until it serves. ``whole``: ``prefix`` is all of the command."""
        log = open(self.directory / "log", "w")  # noqa: SIM115 - lives as long as the daemon
        daemon = subprocess.Popen(
            netns.command(NAME, prefix) if whole else self.argv(prefix=prefix), stderr=log, text=True
        )
        self._started.append(daemon)
        wait_until("the daemon serves", lambda: daemon.poll() is not None or self.ready(), 30)
        assert daemon.poll() is None, self.log()
        return daemon

    def ready(self) -> bool:
        """Whether every role serves."""
        try:
            return all(role["ready"] for role in self.ask("status")["roles"].values())
        except DaemonUnreachable:
            return False

    def stop(self, daemon: subprocess.Popen[str], sign: signal.Signals = signal.SIGTERM) -> int:
        """End the daemon; its exit code."""
        daemon.send_signal(sign)
        return daemon.wait(30)

    def end_all(self) -> None:
        """Whatever still runs."""
        for daemon in self._started:
            if daemon.poll() is None:
                daemon.kill()
                daemon.wait()

    def reload(self, daemon: subprocess.Popen[str]) -> dict[str, Any]:
        """SIGHUP, and ``status`` after it was obeyed."""
        before = self.ask("status")["config"]
        daemon.send_signal(signal.SIGHUP)
        wait_until("the reload is told", lambda: self.ask("status")["config"] != before, 10)
        return self.ask("status")  # type: ignore[no-any-return]

    def ask(self, command: str) -> Any:
        """What the daemon answers on its control socket."""
        return client.ask(self.runtime / "control.sock", command)

    def log(self) -> str:
        """What the daemon has written."""
        return (self.directory / "log").read_text()

    def state(self) -> dict[str, str]:
        """Everything that the daemon must leave as it was."""
        state = machine_state(netns.command(NAME, []))
        names = "grep -r . /proc/sys/net/ipv6/conf/*/forwarding /proc/sys/net/ipv6/conf/*/accept_ra"
        return state | {"sysctls": self.run(["sh", "-c", names]).stdout}

    def undo(self) -> dict[str, Any]:
        """What a killed daemon has noted for the next."""
        return json.loads((self.runtime / "undo.json").read_text())  # type: ignore[no-any-return]
