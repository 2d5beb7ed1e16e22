"""Forwarding through the ISATAP router against native IPv6 over the same nodes, in the lab.

The way is helpdesk - core - isatap - gateway of ``external-router``: a branch, two routers, an intranet. For
``native`` each of them also gets plain IPv6 addresses and routes, and every packet takes the same interfaces.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from manageout.lab import network, servers, site
from manageout.lab.process import wait_until
from manageout.lab.topology import topology
from manageout.linux.host import netns
from tests.bench.report import Result, alternate, compared

NAMES = (
    "isatap_tcp_vs_native",
    "isatap_pps_vs_native",
    "isatap_slow_tcp_vs_native",
)
RUNS = 11
ON_ONE_CPU = ["taskset", "--cpu-list", "0"]
"""The kernel then carries each packet to the gateway before the sender goes on: nothing overflows on the way."""
SECONDS = 1.0
PAYLOAD = 64
PORT = 5201
# The gateway, over the link prefix of clients (through the tunnel) and over plain IPv6.
TUNNELLED = "fd12:3456:789a:1000::1"
NATIVE = "fd77:3::1"
NATIVE_SETUP = {
    "helpdesk": ["addr add fd77:1::30/64 dev branch nodad", "route add fd77::/16 via fd77:1::1"],
    "core": [
        "addr add fd77:1::1/64 dev branch nodad",
        "addr add fd77:2::fe/64 dev intranet nodad",
        "route add fd77:3::/64 via fd77:2::2",
    ],
    "isatap": [
        "addr add fd77:2::2/64 dev intranet nodad",
        "route add fd77:3::/64 via fd77:2::1",
        "route add fd77:1::/64 via fd77:2::fe",
    ],
    "gateway": [
        "addr add fd77:2::1/64 dev intranet nodad",
        "addr add fd77:3::1/128 dev lo nodad",
        "route add fd77:1::/64 via fd77:2::2",
    ],
}
# A UDP socket and sendmmsg: 1,024 packets a system call, so that the path is the limit and not Python. Without
# a receiver the gateway would answer with errors: its socket takes what fits, and is never read.
SENDER = """
import ctypes, socket, sys
address, port, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
sock = socket.socket(family, socket.SOCK_DGRAM)
sock.connect((address, port))
class Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_char_p), ("length", ctypes.c_size_t))
class Message(ctypes.Structure):
    _fields_ = (("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32), ("iov", ctypes.POINTER(Vector)),
        ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int), ("sent", ctypes.c_uint32))
vector = Vector(bytes(size), size)
messages = (Message * 1024)(*[Message(None, 0, ctypes.pointer(vector), 1) for _ in range(1024)])
send = ctypes.CDLL(None).sendmmsg
while True:
    send(sock.fileno(), messages, 1024, 0)
"""
SINK = """
import socket, sys
sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
sock.bind(("::", int(sys.argv[1])))
sys.stdin.read()
"""


def measure(wanted: frozenset[str]) -> Iterator[Result]:
    """TCP and packets a second, fast and slow."""
    if wanted & {"isatap_tcp_vs_native", "isatap_pps_vs_native"}:
        with lab(fast_path=True):
            if "isatap_tcp_vs_native" in wanted:
                yield ratio("isatap_tcp_vs_native", "Gbit/s", tcp)
            if "isatap_pps_vs_native" in wanted:
                yield ratio("isatap_pps_vs_native", "packets/s", packets)
    if "isatap_slow_tcp_vs_native" in wanted:
        with lab(fast_path=False):
            yield ratio("isatap_slow_tcp_vs_native", "Gbit/s", tcp)


def ratio(name: str, unit: str, run: Callable[[str], float]) -> Result:
    median = alternate(RUNS, isatap=partial(run, TUNNELLED), native=partial(run, NATIVE))
    return compared(name, median["isatap"], median["native"], unit, "native IPv6")


@contextmanager
def lab(fast_path: bool) -> Iterator[None]:
    """The site, with native IPv6 added, a server at the gateway and nothing else running at it."""
    wanted = topology("external-router")
    with ExitStack() as stack:
        stack.callback(network.down)
        network.up(wanted)
        # A router of native IPv6 before the daemon came; of one that was none it makes none.
        netns.run(f"mo-{wanted.router}", ["sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"])
        servers.start_all(wanted)
        site.start_daemons(wanted, fast_path=fast_path)
        site.connect()
        site.join("helpdesk", fast_path=fast_path)
        netns.run("mo-core", ["sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"])
        for node, lines in NATIVE_SETUP.items():
            enable_ipv6(node)
            for line in lines:
                netns.run(f"mo-{node}", ["ip", "-6", *line.split()])
        for argv in (["iperf3", "--server", "--port", str(PORT)], [sys.executable, "-c", SINK, str(PORT)]):
            command = netns.command("mo-gateway", argv)
            server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
            stack.enter_context(server)
            stack.callback(server.terminate)
        for address in (TUNNELLED, NATIVE):
            wait_until(f"an answer of {address}", partial(answers, address), 10)
        yield


def enable_ipv6(node: str) -> None:
    """The lab's nodes have IPv6 only where the lab needs it."""
    devices = [port.segment for port in topology("external-router").node(node).ports]
    for device in [*devices, "lo"]:
        netns.run(f"mo-{node}", ["sysctl", "-qw", f"net.ipv6.conf.{device}.disable_ipv6=0"])


def answers(address: str) -> bool:
    ping = ["ping", "-c", "1", "-W", "1", address]
    return netns.run("mo-helpdesk", ping, check=False).returncode == 0


def tcp(address: str) -> float:
    """Gbit/s of one TCP flow from the helpdesk to the gateway."""
    return wait_until("a server that has finished the test before", partial(iperf, address), 20)


def iperf(address: str) -> float | None:
    """None while the server is still busy."""
    argv = ["iperf3", "--client", address, "--port", str(PORT), "--time", str(SECONDS), "--json"]
    report = json.loads(netns.run("mo-helpdesk", argv, check=False).stdout)
    if "server is busy" in report.get("error", ""):
        return None
    if "error" in report:
        raise RuntimeError(f"iperf3 to {address}: {report['error']}")
    return float(report["end"]["sum_received"]["bits_per_second"]) / 1e9


def packets(address: str) -> float:
    """Packets of 64 bytes of UDP that reach the gateway, a second."""
    argv = [*ON_ONE_CPU, sys.executable, "-c", SENDER, address, str(PORT), str(PAYLOAD)]
    with subprocess.Popen(netns.command("mo-helpdesk", argv)) as sender:
        try:
            before = received()
            wait_until("the first packets", lambda: received() > before + 1000, 10)
            before, start = received(), time.monotonic()
            time.sleep(SECONDS)
            return (received() - before) / (time.monotonic() - start)
        finally:
            sender.terminate()


def received() -> int:
    """Packets that have come in at the gateway's intranet interface."""
    argv = ["ip", "-stats", "-json", "link", "show", "dev", "intranet"]
    return int(json.loads(netns.run("mo-gateway", argv).stdout)[0]["stats64"]["rx"]["packets"])
