"""Packets through the whole path, helpdesk to laptop: exact counters, MTU edges, refusals, many flows.

Each test runs in every arrangement: one machine or two, with and without the fast path.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from itertools import product
from pathlib import Path

import pytest

from manageout.lab import inject, network, process, servers, site
from manageout.lab.demo import isatap as steps_isatap
from manageout.lab.run import Run
from manageout.lab.topology import (
    CLIENT_PREFIX,
    GATEWAY_NAME,
    HELPDESK,
    ISATAP_PREFIX,
    KIOSK,
    LAPTOP_NAME,
    NAMES,
    SEGMENTS,
)
from manageout.protocol.core.drops import Drop
from manageout.site.plan import IPHTTPS_DEVICE, ISATAP_DEVICE, isatap_address
from manageout.wire import icmpv6, ipv6, numbers
from tests.tools.lab import Lab, capture, drops, frames, other_rules, ping

ARRANGEMENTS = list(product(NAMES, (True, False)))
pytestmark = pytest.mark.parametrize(
    "lab",
    ARRANGEMENTS,
    ids=[f"{name}-{'ebpf' if fast_path else 'python'}" for name, fast_path in ARRANGEMENTS],
    indirect=True,
)
HEADERS = 48
"""IPv6 and ICMPv6 echo."""
MTU = 1280
OUR_ISATAP = isatap_address(ISATAP_PREFIX, HELPDESK)
STRANGER = isatap_address(ISATAP_PREFIX, IPv4Address("10.0.1.99"))


def laptop() -> IPv6Address:
    """Where the laptop is."""
    address = site.laptop_address()
    assert address
    return address


def echo(source: IPv6Address, target: IPv6Address, hop_limit: int = 64) -> bytes:
    """An echo request as a whole packet."""
    message = icmpv6.build(source.packed, target.packed, 128, 0, bytes(8))
    return ipv6.build(source.packed, target.packed, numbers.ICMPV6, message, hop_limit=hop_limit)


def test_the_fast_path_is_as_asked_for(lab: Lab) -> None:
    state = site.ask(lab.router, "status")["roles"]["isatap"]["fast_path"]
    assert state["on"] == lab.fast_path, state


@pytest.mark.parametrize("size", [0, 1, 56, 1000, MTU - HEADERS])
def test_counters_are_exact(lab: Lab, size: int) -> None:
    steps_isatap.count_pings(Run(lab.topology, bool(lab.fast_path)), 20, size)


@pytest.fixture
def wide_links() -> Iterator[None]:
    """Both ends may send more than the links behind them carry."""
    devices = {"helpdesk": ISATAP_DEVICE, "laptop": IPHTTPS_DEVICE}
    for node, device in devices.items():
        network.run(node, ["ip", "link", "set", device, "mtu", "1400"])
    yield
    for node, device in devices.items():
        network.run(node, ["ip", "link", "set", device, "mtu", str(MTU)])
        network.run(node, ["ip", "-6", "route", "flush", "cache"])


@pytest.mark.parametrize("node", ["helpdesk", "laptop"])
def test_mtu_edge(lab: Lab, wide_links: None, node: str) -> None:
    target = laptop() if node == "helpdesk" else OUR_ISATAP
    fits = ping(node, target, "-M", "do", "-s", str(MTU - HEADERS))
    assert fits.returncode == 0, fits.stdout
    over = ping(node, target, "-M", "do", "-s", str(MTU - HEADERS + 1))
    assert over.returncode != 0
    assert f"Packet too big: mtu={MTU}" in over.stdout, over.stdout


@pytest.fixture
def narrow_core() -> Iterator[None]:
    """The IPv4 network between router and helpdesk carries less than the link: outer packets are fragmented."""
    # Not the devices' MTU: veth drops what is larger than the receiver's.
    for limit in (["mtu", "lock", "1000"], []):
        for segment in ("intranet", "branch"):
            route = ["ip", "route", "change", str(SEGMENTS[segment]), "dev", segment, "proto", "kernel"]
            network.run("core", [*route, *limit])
        if limit:
            yield


@pytest.mark.parametrize("node", ["helpdesk", "laptop"])
def test_fragments_on_the_way(lab: Lab, narrow_core: None, node: str) -> None:
    target = laptop() if node == "helpdesk" else OUR_ISATAP
    with capture("core", "branch", "ip[6:2] & 0x3fff != 0") as file:
        assert (
            ping(node, target, "-s", str(MTU - HEADERS), "-c", "3", "-w", "10", "-i", "0.2").returncode == 0
        )
    assert len(frames(file)) >= 6  # two of each packet towards helpdesk


@pytest.mark.parametrize(
    ("sender", "source", "reason"),
    [
        ("helpdesk", STRANGER, Drop.SOURCE_MISMATCH),
        ("helpdesk", CLIENT_PREFIX[0x77], Drop.SOURCE_MISMATCH),
        ("helpdesk", IPv6Address("2001:db8::1"), Drop.SOURCE_MISMATCH),
        ("helpdesk", IPv6Address("::1"), Drop.SOURCE_ILLEGAL),
        ("helpdesk", IPv6Address("ff02::1"), Drop.SOURCE_ILLEGAL),
        ("kiosk", OUR_ISATAP, Drop.HOST_NOT_ALLOWED),
        ("kiosk", isatap_address(ISATAP_PREFIX, KIOSK), Drop.HOST_NOT_ALLOWED),
    ],
)
def test_spoofs_are_refused(lab: Lab, sender: str, source: IPv6Address, reason: Drop) -> None:
    key = (reason.label, str(lab.topology.node(sender).ports[0].address.ip))
    before = drops(lab.router).get(key, 0)
    with capture("laptop", IPHTTPS_DEVICE, "icmp6 and ip6[40] == 128") as file:
        inject.send(sender, lab.topology.router_locator, [echo(source, laptop())] * 7)
        process.wait_until("drops", lambda: drops(lab.router).get(key, 0) - before >= 7, 10)
        assert ping("helpdesk", laptop()).returncode == 0
    assert drops(lab.router)[key] - before == 7
    assert len(frames(file)) == 1  # the ping


def test_our_client_refuses_foreign_sources(lab: Lab) -> None:
    for foreign in (STRANGER, IPv6Address("2001:db8::1")):
        network.run("laptop", ["ip", "address", "add", f"{foreign}/128", "dev", IPHTTPS_DEVICE, "nodad"])
        assert ping("laptop", OUR_ISATAP, "-I", str(foreign), "-W", "1").returncode != 0
        network.run("laptop", ["ip", "address", "delete", f"{foreign}/128", "dev", IPHTTPS_DEVICE])
    assert [count for (reason, _), count in drops("laptop").items() if reason == Drop.NOT_OWNER.label] == [2]


def test_the_gateway_refuses_foreign_sources(lab: Lab) -> None:
    """A client with a good certificate that does not keep to its addresses."""
    key = (Drop.NOT_OWNER.label, LAPTOP_NAME)
    before = drops("gateway").get(key, 0)
    sources = [STRANGER, IPv6Address("2001:db8::1"), OUR_ISATAP]
    packets = "".join(f"{echo(source, OUR_ISATAP).hex()}\n" for source in sources)
    rogue = [
        "-m",
        "tests.tools.programs.rogue_client",
        GATEWAY_NAME,
        str(servers.pki_directory()),
        LAPTOP_NAME,
    ]
    with capture("helpdesk", ISATAP_DEVICE, "icmp6 and ip6[40] == 128") as file:
        argv = network.command("laptop", [sys.executable, *rogue])
        subprocess.run(argv, input=packets, text=True, check=True, timeout=30)
        assert ping("laptop", OUR_ISATAP).returncode == 0
    assert drops("gateway")[key] - before == len(sources)
    assert len(frames(file)) == 1  # the ping


def test_loops_are_bounded(lab: Lab) -> None:
    """RFC 6324: nothing that would come back to us leaves us."""
    locator = lab.topology.router_locator
    loops = [
        IPv6Address(b"\x20\x02" + locator.packed + bytes(10)),
        IPv6Address(CLIENT_PREFIX.network_address.packed[:8] + bytes.fromhex("00005efe") + locator.packed),
        IPv6Address(CLIENT_PREFIX.network_address.packed[:8] + bytes.fromhex("02005efe") + locator.packed),
    ]
    key = (Drop.LOOP.label, str(HELPDESK))
    before = drops(lab.router).get(key, 0)
    # On core, the way between helpdesk and router: what multiplies is seen there.
    with capture("core", "intranet", "ip proto 41") as file:
        inject.send("helpdesk", locator, [echo(OUR_ISATAP, target, hop_limit=255) for target in loops])
        process.wait_until("drops", lambda: drops(lab.router).get(key, 0) - before >= len(loops), 10)
        assert ping("helpdesk", laptop()).returncode == 0
    seen = [frame[34:] for frame in frames(file)]
    assert [sum(inner[24:40] == target.packed for inner in seen) for target in loops] == [1, 1, 1]


def test_hosts_that_are_not_allowed_get_no_packets(lab: Lab) -> None:
    """An ISATAP router must not send protocol 41 wherever a packet tells it to (RFC 6324 3.1.2)."""
    with capture("core", "intranet", "ip proto 41 and dst host 10.0.1.40") as file:
        result = ping("laptop", isatap_address(ISATAP_PREFIX, KIOSK), "-W", "1")
        assert ping("helpdesk", laptop()).returncode == 0
    assert result.returncode != 0
    assert frames(file) == []


def test_fifty_flows_to_the_laptop(lab: Lab) -> None:
    server = process.start("laptop", "iperf3", ["iperf3", "--server", "--one-off", "--bind", str(laptop())])
    process.wait_until("iperf3 listens", lambda: server.listens(5201), 10, [server])
    # iperf3 3.18 counts whole blocks only, and its own are of 128 KiB.
    options = ["--client", str(laptop()), "--parallel", "50", "--time", "1", "--length", "4K", "--json"]
    with other_rules("gateway", '"tcp/22"', '"tcp/22", "tcp/5201"'):
        report = json.loads(network.run("helpdesk", ["iperf3", *options], timeout=60).stdout)
    received = [stream["receiver"]["bytes"] for stream in report["end"]["streams"]]
    assert len(received) == 50 and min(received) > 0
    process.wait_until("iperf3 ends", lambda: not server.alive, 10)


def test_fifty_flows_from_the_laptop(lab: Lab, tmp_path: Path) -> None:
    content = os.urandom(400_000)
    (network.directory("laptop") / "www" / "part.bin").write_bytes(content)
    url = f"http://[{laptop()}]/part.bin"
    more = [argument for number in range(50) for argument in ("-o", str(tmp_path / str(number)), url)]
    network.run("helpdesk", ["curl", "--globoff", "--silent", "--fail", "-Z", "--parallel-max", "50", *more])
    assert [file.read_bytes() == content for file in tmp_path.iterdir()] == [True] * 50


def test_a_whole_file(lab: Lab) -> None:
    wanted = servers.make_download("laptop")
    url = f"http://[{laptop()}]/{servers.DOWNLOAD}"
    result = network.run("helpdesk", ["sh", "-c", f"curl --globoff --silent --fail '{url}' | sha256sum"])
    assert result.stdout.split()[0] == wanted
