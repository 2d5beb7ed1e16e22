"""A gateway's translator between two clients and the IPv4 intranet, in namespaces.

::

    client  :10 ─┐                              ┌─ server 10.0.0.20
                 ├─ mo-iphttps0 gateway 10.0.0.1┤
    other   :11 ─┘  (a bridge, MTU 1280)        └─ router 10.0.0.254 ── MTU 1000 ── far 10.0.9.20

Clients are ordinary IPv6 nodes; the gateway's device bears the tunnel's name, for the rules go by names.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from manageout.errors import DaemonUnreachable
from manageout.lab.process import wait_until
from manageout.linux.host import netns
from manageout.service.process import client

PREFIX = "fd12:3456:789a"
CLIENT, OTHER = f"{PREFIX}:1000::10", f"{PREFIX}:1000::11"
LEASE, OTHER_LEASE, FREE_LEASE = "10.0.0.130", "10.0.0.131", "10.0.0.140"
MAPPED = "10.99.0.1"
SERVER, FAR, GATEWAY = "10.0.0.20", "10.0.9.20", "10.0.0.1"
NODES = ("client", "other", "gateway", "server", "router", "far")
SITE = """
[site]
prefix = "fd12:3456:789a::/48"
[daemon]
state_dir = "{directory}/state"
fast_path = {fast_path}
[gateway]
certificate = "c"
key = "k"
client_ca = "a"
[translation]
pool = "{pool}"
{translation}
[policy]
hairpin = true
[[policy.managers]]
from = ["10.0.0.0/16"]
services = ["any"]
"""


def namespace(node: str) -> str:
    """Of a node."""
    return f"mo-test-{node}"


def nat64(v4: str) -> str:
    """``v4`` under the site's NAT64 prefix."""
    return f"{PREFIX}:7777::{v4}"


class TranslationPlace:
    """Six namespaces, and the translator in one of them."""

    def __init__(self, make: Callable[[str], str], directory: Path) -> None:
        self.directory = directory
        self._process: subprocess.Popen[str] | None = None
        for node in NODES:
            make(namespace(node))
            # An address that is still being tested for duplicates can ask for nobody.
            self.run(
                node, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0"
            )
        # The kernel would give each device a link-local address in its own time: have none but one.
        self.run("gateway", "sysctl", "-qw", "net.ipv6.conf.default.addr_gen_mode=1")
        self._clients()
        self._intranet()
        wait_until("every device is up", self._up, 10)

    def _up(self) -> bool:
        down = (
            "linkdown" in self.run(node, "ip", *family, "route") for node in NODES for family in ((), ("-6",))
        )
        return not any(down) and "state DOWN" not in self.run("gateway", "ip", "link")

    def _clients(self) -> None:
        self._ip("gateway", "link add mo-iphttps0 type bridge forward_delay 0 mcast_snooping 0")
        for node, address in (("client", CLIENT), ("other", OTHER)):
            self._ip("gateway", f"link add p-{node} type veth peer name t0 netns {namespace(node)}")
            self._ip("gateway", f"link set p-{node} mtu 1280 master mo-iphttps0 up")
            self._ip(node, f"address add {address}/64 dev t0 nodad")
            self._ip(node, "link set t0 mtu 1280 up")
            self._ip(node, f"route add default via {PREFIX}:1000::1")
        for address in (f"{PREFIX}:1000::1", "fe80::1"):
            self._ip("gateway", f"address add {address}/64 dev mo-iphttps0 nodad")
        self._ip("gateway", "link set mo-iphttps0 mtu 1280 up")

    def _intranet(self) -> None:
        self._ip("router", "link add br0 type bridge forward_delay 0 mcast_snooping 0")
        self._ip("router", "address add 10.0.0.254/24 dev br0")
        self._ip("router", "link set br0 up")
        for node, address in (("gateway", GATEWAY), ("server", SERVER)):
            self._ip("router", f"link add p-{node} type veth peer name e0 netns {namespace(node)}")
            self._ip("router", f"link set p-{node} master br0 up")
            self._ip(node, f"address add {address}/24 dev e0")
            self._ip(node, "link set e0 up")
            self._ip(node, "route add default via 10.0.0.254")
        self._ip("router", f"link add far type veth peer name e0 netns {namespace('far')}")
        self._ip("router", "address add 10.0.9.254/24 dev far")
        self._ip("router", "link set far mtu 1000 up")
        self._ip("far", f"address add {FAR}/24 dev e0")
        self._ip("far", "link set e0 mtu 1000 up")
        self._ip("far", "route add default via 10.0.9.254")
        self.run("router", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        # Tests provoke more errors in a second than a router would send.
        for node in ("router", "gateway", "server", "client"):
            self.run(node, "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
            self.run(node, "sysctl", "-qw", "net.ipv4.icmp_msgs_per_sec=100000")

    def _ip(self, node: str, arguments: str) -> None:
        family = ["-6"] if arguments.startswith("route") and "::" in arguments else []
        self.run(node, "ip", *family, *arguments.split())

    def run(self, node: str, *argv: str, check: bool = True) -> str:
        """Run something on a node; what it prints."""
        result = netns.run(namespace(node), argv, check)
        return result.stdout + result.stderr

    def start(
        self,
        fast_path: bool = True,
        translation: str = "",
        leases: Sequence[str] = (),
        pool: str = "10.0.0.128/26",
    ) -> None:
        """Start the translator and wait until it serves; ``leases`` as ``IPV6=IPV4``, both clients' if left out."""
        file = self.directory / "site.toml"
        fast = str(fast_path).lower()
        text = SITE.format(directory=self.directory, fast_path=fast, translation=translation, pool=pool)
        file.write_text(text)
        leases = leases or (f"{CLIENT}={LEASE}", f"{OTHER}={OTHER_LEASE}")
        module = [
            sys.executable,
            "-m",
            "tests.tools.programs.translator",
            str(file),
            str(self.directory / "run"),
        ]
        log = open(self.directory / "log", "a")  # noqa: SIM115 - lives as long as the process
        command = netns.command(namespace("gateway"), [*module, *leases])
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log, text=True)
        wait_until("the translator serves", self._serves, 20)

    def _serves(self) -> bool:
        assert self._process is not None and self._process.poll() is None, (
            self.directory / "log"
        ).read_text()
        try:
            return bool(self.status()["ready"])
        except DaemonUnreachable:
            return False

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> None:
        """End the translator, if it runs."""
        if self._process is not None:
            self._process.send_signal(sign)
            assert self._process.wait(20) in (0, -signal.SIGKILL), (self.directory / "log").read_text()
            self._process = None

    def lease(self, text: str) -> None:
        """``+IPV6=IPV4``: a client comes; ``-IPV6=IPV4``: it goes."""
        before = self.status()["translating"]
        self.say(text)
        wait_until("the lease is taken up", lambda: self.status()["translating"] != before, 10)

    def say(self, text: str) -> None:
        """One line to the process."""
        assert self._process is not None and self._process.stdin is not None, "it runs"
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def status(self) -> dict[str, Any]:
        """Of the role."""
        return self._ask("status")["roles"]["translation"]  # type: ignore[no-any-return]

    def drops(self) -> dict[tuple[str, str], int]:
        """(Reason, source) -> count."""
        return {(row["reason"], row["source"]): row["count"] for row in self._ask("drops")}

    def dropped(self, reason: str) -> int:
        """How often."""
        return sum(count for (each, _), count in self.drops().items() if each == reason)

    def _ask(self, command: str) -> Any:
        return client.ask(self.directory / "run" / "control.sock", command)

    def socket(self, node: str, kind: int, address: str, port: int = 0) -> socket.socket:
        """A socket on a node, bound, with a time-out."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with netns.inside(namespace(node)):
            opened = socket.socket(family, kind)
        opened.settimeout(5.0)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((address, port))
        return opened
