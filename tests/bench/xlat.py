"""The translator against plain IPv4 forwarding over the same gateway, and against TAYGA there.

client - gateway - server, joined by virtual Ethernet. The gateway runs what the daemon runs: its packet filter, its
routes, connection tracking, the translator. The client is an ordinary IPv6 node on a device that bears the name of
the tunnel's, for the filter goes by name; a second cable between the same nodes carries plain IPv4, and IPv6
towards TAYGA, which the filter does not judge.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from manageout.lab.process import wait_until
from manageout.linux.bpf.libbpf import Map
from manageout.linux.host import netns
from tests.bench.isatap_forwarding import ON_ONE_CPU, PAYLOAD, PORT, SECONDS, SENDER
from tests.bench.isatap_scale import table_of
from tests.bench.report import Result, alternate, compared, say

FAST = (
    "nat64_tcp_vs_ipv4",
    "nat46_tcp_vs_ipv4",
    "nat64_pps_vs_ipv4",
    "nat46_pps_vs_ipv4",
    "nat64_tcp_vs_tayga",
)
SLOW = ("xlat_slow_tcp_vs_tayga",)
BETWEEN = {"nat64_tcp_vs_slow": "Gbit/s", "nat64_pps_vs_slow": "packets/s"}
"""What eBPF gains over Python, on any kernel."""
LEASES = (10, 1_000, 60_000)
SCALE = tuple(f"nat64_pps_{count}_leases" for count in LEASES)
NAMES = (*FAST, *SLOW, *BETWEEN, *SCALE)
RUNS = 11
TURNS = 3
CLIENT, GATEWAY, SERVER = "mo-bench-client", "mo-bench-gateway", "mo-bench-server"
CLIENT6, LEASE = "fd12:3456:789a:1000::10", "10.9.0.5"
THROUGH_US, BACK = "fd12:3456:789a:7777::10.0.0.20", LEASE
PLAIN, PLAIN_BACK, THROUGH_TAYGA = "10.0.0.20", "10.1.0.5", "fd77:64::10.0.0.20"
SITE = """
[site]
prefix = "fd12:3456:789a::/48"
[daemon]
state_dir = "{directory}/state"
fast_path = {fast_path}
[gateway]
certificate = "unused"
key = "unused"
client_ca = "unused"
[translation]
pool = "10.9.0.0/16"
[policy]
intranet = ["10.0.0.0/8"]
[[policy.managers]]
from = ["10.0.0.0/24"]
services = ["any"]
"""
TAYGA = """
tun-device tayga0
ipv4-addr 10.8.0.1
ipv6-addr fd77:1::ffff
prefix fd77:64::/96
map 10.8.0.5 fd77:1::5
data-dir {directory}
"""
# What fits into its socket is not read, but for a packet now and then: whoever sent that gets an answer, so that the
# flow has both directions, as flows have.
_SINK = """
import socket, sys, time
sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
sock.bind(("::", int(sys.argv[1])))
while True:
    _, peer = sock.recvfrom(2048)
    sock.sendto(b"here", peer)
    time.sleep(0.05)
"""
SETUP = {
    GATEWAY: (
        f"ip link add mo-iphttps0 type veth peer name tunnel netns {CLIENT}",
        f"ip link add plain type veth peer name plain netns {CLIENT}",
        f"ip link add intranet type veth peer name intranet netns {SERVER}",
        "ip link set lo up",
        "ip link set mo-iphttps0 mtu 1280 up",
        "ip link set plain up",
        "ip link set intranet up",
        "ip addr add fd12:3456:789a:1000::ff/64 dev mo-iphttps0 nodad",
        "ip addr add fd77:1::1/64 dev plain nodad",
        "ip addr add 10.1.0.1/24 dev plain",
        "ip addr add 10.0.0.1/24 dev intranet",
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
    ),
    CLIENT: (
        "ip link set lo up",
        "ip link set tunnel mtu 1280 up",
        "ip link set plain up",
        f"ip addr add {CLIENT6}/64 dev tunnel nodad",
        "ip addr add fd77:1::5/64 dev plain nodad",
        f"ip addr add {PLAIN_BACK}/24 dev plain",
        "ip route add default via fd12:3456:789a:1000::ff",
        "ip route add fd77:64::/96 via fd77:1::1",
        "ip route add default via 10.1.0.1",
    ),
    SERVER: (
        "ip link set lo up",
        "ip link set intranet up",
        f"ip addr add {PLAIN}/24 dev intranet",
        "ip route add default via 10.0.0.1",
    ),
}


def measure(wanted: frozenset[str]) -> Iterator[Result]:
    """Ratios of the fast path, how it bears many leases, and the slow path."""
    if wanted & {*FAST, *SCALE}:
        with lab(fast_path=True):
            yield from (result for result in fast(wanted))
    if wanted & {*SLOW}:
        with lab(fast_path=False):
            yield ratio(SLOW[0], "Gbit/s", partial(tcp, CLIENT), THROUGH_US, THROUGH_TAYGA, "TAYGA")
    if wanted & {*BETWEEN}:
        yield from between(wanted)


def between(wanted: frozenset[str]) -> Iterator[Result]:
    """Both speeds, each in a lab of its own, by turns."""
    runs = dict(zip(BETWEEN, (partial(tcp, CLIENT), partial(packets, CLIENT, SERVER)), strict=True))
    taken: dict[tuple[str, bool], list[float]] = {}
    for turn in range(2 * TURNS):
        with lab(fast_path=turn % 2 == 0):
            for name in wanted & {*BETWEEN}:
                taken.setdefault((name, turn % 2 == 0), []).append(value := runs[name](THROUGH_US))
                say(f"  {name} {'slow' if turn % 2 else 'fast'} {value:.4g}")
    for name in (name for name in BETWEEN if name in wanted):
        ours, theirs = (statistics.median(taken[name, speed]) for speed in (True, False))
        yield compared(name, ours, theirs, BETWEEN[name], "without eBPF")


def fast(wanted: frozenset[str]) -> Iterator[Result]:
    out, back = partial(tcp, CLIENT), partial(tcp, SERVER)
    away, home = partial(packets, CLIENT, SERVER), partial(packets, SERVER, CLIENT)
    for name, unit, run, ours, theirs, label in (
        (FAST[0], "Gbit/s", out, THROUGH_US, PLAIN, "plain IPv4"),
        (FAST[1], "Gbit/s", back, BACK, PLAIN_BACK, "plain IPv4"),
        (FAST[2], "packets/s", away, THROUGH_US, PLAIN, "plain IPv4"),
        (FAST[3], "packets/s", home, BACK, PLAIN_BACK, "plain IPv4"),
        (FAST[4], "Gbit/s", out, THROUGH_US, THROUGH_TAYGA, "TAYGA"),
    ):
        if name in wanted:
            yield ratio(name, unit, run, ours, theirs, label)
    if wanted & {*SCALE}:
        yield from (result for result in by_leases() if result.name in wanted)


def ratio(name: str, unit: str, run: Callable[[str], float], ours: str, theirs: str, label: str) -> Result:
    median = alternate(RUNS, manageout=partial(run, ours), other=partial(run, theirs))
    return compared(name, median["manageout"], median["other"], unit, label)


def by_leases() -> Iterator[Result]:
    """Packets a second among so many leases, put straight into the tables of the translator."""
    mine = bytes.fromhex("fd123456789a10000000000000000010"), bytes(map(int, LEASE.split(".")))
    tables = table_of("by_v6", mine[0], 32), table_of("by_v4", mine[1], 40)
    median = alternate(RUNS, **{str(count): partial(among, tables, count) for count in LEASES})
    few = median[str(LEASES[0])]
    for count in LEASES:
        value = median[str(count)]
        yield Result(f"nat64_pps_{count}_leases", value, "packets/s", f"{LEASES[0]} leases", value / few)


def among(tables: tuple[Map, Map], count: int) -> float:
    by_v6, by_v4 = tables
    others = [
        number.to_bytes(4, "big") for number in range(10 << 24 | 10 << 16, (10 << 24 | 10 << 16) + count - 1)
    ]
    for v4 in others:
        by_v6.update(bytes(12) + v4, bytes(by_v6.value_size))
        by_v4.update(v4, bytes(by_v4.value_size))
    try:
        return packets(CLIENT, SERVER, THROUGH_US)
    finally:
        for v4 in others:
            by_v6.delete(bytes(12) + v4)
            by_v4.delete(v4)


@contextmanager
def lab(fast_path: bool) -> Iterator[None]:
    """Three nodes, the translator and TAYGA at the gateway, servers at both ends."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for node in SETUP:
            netns.create(node)
            stack.callback(netns.delete, node)
        for node, lines in SETUP.items():
            for line in lines:
                netns.run(node, line.split())
        site = directory / "site.toml"
        site.write_text(SITE.format(directory=directory, fast_path=str(fast_path).lower()))
        role = [sys.executable, "-m", "tests.tools.programs.translator", str(site), str(directory / "run")]
        start(stack, GATEWAY, [*role, f"{CLIENT6}={LEASE}"])
        start_tayga(stack, directory)
        for node in (CLIENT, SERVER):
            start(stack, node, ["iperf3", "--server", "--port", str(PORT)])
            start(stack, node, [sys.executable, "-c", _SINK, str(PORT)])
        for address in (THROUGH_US, PLAIN, THROUGH_TAYGA):
            wait_until(f"an answer of {address}", partial(answers, CLIENT, address), 20)
        for address in (BACK, PLAIN_BACK):
            wait_until(f"an answer of {address}", partial(answers, SERVER, address), 20)
        yield


def start(stack: ExitStack, node: str, argv: list[str]) -> None:
    process = subprocess.Popen(netns.command(node, argv), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    stack.enter_context(process)
    stack.callback(process.terminate)


def start_tayga(stack: ExitStack, directory: Path) -> None:
    file = directory / "tayga.conf"
    file.write_text(TAYGA.format(directory=directory))
    for line in (
        f"tayga --config {file} --mktun",
        "ip link set tayga0 up",
        "ip route add fd77:64::/96 dev tayga0",
        "ip route add 10.8.0.0/24 dev tayga0",
    ):
        netns.run(GATEWAY, line.split())
    start(stack, GATEWAY, ["tayga", "--config", str(file), "--nodetach"])


def answers(node: str, address: str) -> bool:
    return netns.run(node, ["ping", "-c", "1", "-W", "1", address], check=False).returncode == 0


def tcp(node: str, address: str) -> float:
    """Gbit/s of one TCP flow from a node."""
    return wait_until("a server that has finished the test before", partial(iperf, node, address), 20)


def iperf(node: str, address: str) -> float | None:
    """None while the server is still busy."""
    argv = ["iperf3", "--client", address, "--port", str(PORT), "--time", str(SECONDS), "--json"]
    report = json.loads(netns.run(node, argv, check=False).stdout)
    if "server is busy" in report.get("error", ""):
        return None
    if "error" in report:
        raise RuntimeError(f"iperf3 to {address}: {report['error']}")
    return float(report["end"]["sum_received"]["bits_per_second"]) / 1e9


def packets(node: str, to: str, address: str) -> float:
    """Packets of 64 bytes of UDP that reach another node, a second."""
    argv = [*ON_ONE_CPU, sys.executable, "-c", SENDER, address, str(PORT), str(PAYLOAD)]
    with subprocess.Popen(netns.command(node, argv)) as sender:
        try:
            before = received(to)
            wait_until("the first packets", lambda: received(to) > before + 1000, 10)
            before, begun = received(to), time.monotonic()
            time.sleep(SECONDS)
            return (received(to) - before) / (time.monotonic() - begun)
        finally:
            sender.terminate()


def received(node: str) -> int:
    """Packets that have come in at all devices of a node."""
    links = json.loads(netns.run(node, ["ip", "-stats", "-json", "link"]).stdout)
    return sum(int(link["stats64"]["rx"]["packets"]) for link in links)
