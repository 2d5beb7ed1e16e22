"""A gateway and its clients in network namespaces, for system tests and benchmarks of IP-HTTPS.

``gw`` (198.51.100.10) and one namespace a client stand on one bridge-less link each: a veth pair between ``gw``
and the client, 198.51.100.N. Everything runs as the command line would.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from manageout.errors import DaemonUnreachable
from manageout.lab.process import wait_until
from manageout.service.process import client as control
from manageout.service.tls.pki import Authority

_T = TypeVar("_T")

GATEWAY_NAME = "gateway.corp.example"
GATEWAY_V4 = "198.51.100.10"
GATEWAY_V6 = "fd12:3456:789a:1000::1"
SITE = "fd12:3456:789a:"
PYTHON = os.environ.get("MANAGEOUT_PYTHON", sys.executable)
"""Whose ``manageout`` runs: that of another build may stand beside ours."""
URL = f"https://{GATEWAY_NAME}/IPHTTPS"


def sh(command: str) -> str:
    """Run a shell command that must succeed; its output."""
    done = subprocess.run(command, shell=True, text=True, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


class Running:
    """A process in a namespace, its output in a file."""

    def __init__(self, namespace: str, argv: Sequence[str], log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", namespace, *argv], stdout=output, stderr=subprocess.STDOUT
            )

    @property
    def pid(self) -> int:
        """Of the process itself: ``ip netns exec`` replaces itself."""
        return self.process.pid

    def text(self) -> str:
        """What it has printed."""
        return self.log.read_text()

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


class Pair:
    """The network, a certificate authority, and what runs. A context manager."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="manageout-pair-"))
        self.ca = Authority.create(self.directory / "pki", "Test CA")
        self.ca.issue(GATEWAY_NAME, server=True)
        self._namespaces: list[str] = []
        self._running: list[Running] = []

    def __enter__(self) -> Self:
        self._namespace("gw")
        sh("ip -n gw link add br0 type bridge; ip -n gw link set br0 up")
        sh(f"ip -n gw addr add {GATEWAY_V4}/24 dev br0")
        self.add_client("cl")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for running in reversed(self._running):
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait(10)
        for name in self._namespaces:
            subprocess.run(["ip", "netns", "delete", name], check=False)
            shutil.rmtree(f"/etc/netns/{name}", ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _namespace(self, name: str) -> None:
        sh(f"ip netns add {name} && ip -n {name} link set lo up")
        self._namespaces.append(name)
        hosts = Path("/etc/netns") / name / "hosts"
        hosts.parent.mkdir(parents=True, exist_ok=True)
        hosts.write_text(f"127.0.0.1 localhost\n{GATEWAY_V4} {GATEWAY_NAME}\n")

    def add_client(self, name: str) -> str:
        """A namespace ``name`` at the gateway's bridge; its IPv4 address."""
        self._namespace(name)
        address = f"198.51.100.{19 + len(self._namespaces)}"
        sh(f"ip link add eth0 netns {name} type veth peer name {name}0 netns gw")
        sh(f"ip -n gw link set {name}0 master br0 up; ip -n {name} link set eth0 addrgenmode none up")
        sh(f"ip -n {name} addr add {address}/24 dev eth0")
        return address

    def start(self, namespace: str, *argv: str, name: str = "") -> Running:
        """Run a command in a namespace until the end of the test."""
        log = self.directory / f"{name or Path(argv[0]).name}-{len(self._running)}.log"
        running = Running(namespace, argv, log)
        self._running.append(running)
        return running

    def write_site(
        self, gateway: str = "", iphttps: str = "", policy: str = "", tables: str = "", site: str = ""
    ) -> Path:
        """The site file, with more lines for its tables, and more tables. Behind the gateway is nothing: it serves."""
        pki = self.ca.directory
        file = self.directory / "site.toml"
        mode = (
            "" if "authentication" in gateway else f'client_ca = "{pki}/ca.pem"\nclient_crl = "{pki}/crl.pem"'
        )
        file.write_text(
            f'[site]\nprefix = "{SITE}:/48"\n{site}\n'
            f'[gateway]\ncertificate = "{pki}/{GATEWAY_NAME}.pem"\nkey = "{pki}/{GATEWAY_NAME}.key"\n'
            f"{mode}\n{gateway}\n[gateway.iphttps]\n{iphttps}\n[policy]\n"
            f'gateway_services = ["any"]\n{policy}\n'
            f'[daemon]\nstate_dir = "{self.directory}/state"\nmetrics = "off"\n{tables}'
        )
        return file

    def start_gateway(
        self, gateway: str = "", iphttps: str = "", policy: str = "", tables: str = "", site: str = ""
    ) -> Running:
        """The daemon, ready."""
        file = self.write_site(gateway, iphttps, policy, tables, site)
        argv = ("run", "--config", str(file), "--runtime-dir", str(self.directory / "gw"))
        running = self.start("gw", PYTHON, "-m", "manageout", *argv, name="gateway")
        self.gateway = running
        wait_until("the gateway is ready", lambda: "ready: " in running.text() or self._ended(running))
        return running

    @staticmethod
    def _ended(running: Running) -> bool:
        assert running.process.poll() is None, running.text()
        return False

    def start_client(
        self, name: str = "laptop.corp.example", *options: str, namespace: str = "cl", url: str = URL
    ) -> Running:
        """``manageout connect`` with a certificate for ``name`` (made if need be), not yet connected."""
        certificate = self.ca.directory / f"{name}.pem"
        if not certificate.exists():
            self.ca.issue(name, server=False)
        argv = ["connect", url, "--cert", str(certificate), "--key", str(certificate.with_suffix(".key"))]
        argv += ["--ca", str(self.ca.certificate_path), "--runtime-dir", str(self.directory / namespace)]
        return self.start(namespace, PYTHON, "-m", "manageout", *argv, *options, name="connect")

    def address(self, namespace: str = "cl") -> str:
        """The client's address behind the tunnel, as soon as it has one."""

        def find() -> str | None:
            listed = subprocess.run(
                ["ip", "-n", namespace, "-6", "-j", "addr", "show", "scope", "global"],
                capture_output=True,
                check=False,
            )
            found = [
                item["local"]
                for link in json.loads(listed.stdout or b"[]")
                for item in link.get("addr_info", [])
                if item.get("local", "").startswith(SITE)
            ]
            return found[0] if found else None

        return str(wait_until(f"{namespace} has an address", find))

    def ask(self, command: str, namespace: str = "gw") -> Any:
        """What the process in ``namespace`` answers on its control socket; None when there is none."""
        try:
            return control.ask(self.directory / namespace / "control.sock", command)
        except DaemonUnreachable:
            return None

    def tls(
        self,
        name: str | None = "laptop.corp.example",
        version: ssl.TLSVersion | None = None,
        namespace: str = "cl",
    ) -> ssl.SSLSocket:
        """A bare TLS connection to the gateway, with the certificate of ``name`` or none; raises ssl.SSLError."""
        context = ssl.create_default_context(cafile=str(self.ca.certificate_path))
        if name is not None:
            certificate = self.ca.directory / f"{name}.pem"
            if not certificate.exists():
                self.ca.issue(name, server=False)
            context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        if version is not None:
            context.maximum_version = version
        tls = context.wrap_socket(self.tcp(namespace), server_hostname=GATEWAY_NAME)
        tls.settimeout(10)
        return tls

    def tcp(self, namespace: str = "cl") -> socket.socket:
        """A TCP connection to the gateway."""
        return in_namespace(namespace, lambda: socket.create_connection((GATEWAY_V4, 443), 10))

    def drops(self) -> dict[str, int]:
        """Reason -> count at the gateway, over all sources."""
        counts: dict[str, int] = {}
        for row in self.ask("drops") or ():
            counts[row["reason"]] = counts.get(row["reason"], 0) + row["count"]
        return counts


def in_namespace(name: str, make: Callable[[], _T]) -> _T:
    """What ``make`` returns when it runs in the namespace; sockets stay in it for ever."""
    found: list[_T] = []

    def run() -> None:
        descriptor = os.open(f"/run/netns/{name}", os.O_RDONLY)
        try:
            assert ctypes.CDLL(None, use_errno=True).setns(descriptor, 0x40000000) == 0
        finally:
            os.close(descriptor)
        found.append(make())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert found, f"nothing came out of {name}"
    return found[0]
