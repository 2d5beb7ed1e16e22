"""A machine that was no router becomes none between devices of others, and a router stays one; also when killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from manageout.lab.process import wait_until
from manageout.linux.host import netns
from tests.tools import this_kernel
from tests.tools.places.daemon import ROUTER, Place

TRANSLATION = '[translation]\npool = "10.0.0.128/26"\n'
ENDS = {"outside": ("2001:db8:1::", "192.0.2."), "inside": ("2001:db8:2::", "192.0.3.")}

SERVE = """
import socket
server = socket.create_server(("::", 443), family=socket.AF_INET6)
print(flush=True)
server.accept()
"""


@pytest.fixture
def between(place: Place, namespaces: Callable[[str], str]) -> Place:
    """The daemon's machine between two others, by devices that are not ours."""
    place.run(["sysctl", "-qw", "net.ipv6.conf.default.addr_gen_mode=1"])  # no address in its own time
    for node, (six, four) in ENDS.items():
        other = namespaces(f"mo-test-{node}")
        for line in (
            f"link add {node} type veth peer name e0 netns {other}",
            f"link set {node} up",
            f"address add {six}1/64 dev {node} nodad",
            f"address add fe80::1/64 dev {node} nodad",
            f"address add {four}1/24 dev {node}",
            f"-n {other} link set e0 up",
            f"-n {other} address add {six}2/64 dev e0 nodad",
            f"-n {other} address add {four}2/24 dev e0",
            f"-n {other} route add default via {six}1",
            f"-n {other} route add default via {four}1",
        ):
            place.run(["ip", *line.split()])
    wait_until("the gateway is a neighbour", lambda: ping("outside", ENDS["outside"][0] + "1"), 10)
    return place


def ping(node: str, target: str) -> bool:
    """Whether it answers."""
    return netns.run(f"mo-test-{node}", ["ping", "-c1", "-W1", target], check=False).returncode == 0


def passes(family: int) -> bool:
    """Whether the machine routes from outside to inside."""
    return ping("outside", ENDS["inside"][family == 4] + "2")


def forward(place: Place, value: int) -> None:
    """In both families, as it was before us."""
    place.run(["sysctl", "-qw", f"net.ipv6.conf.all.forwarding={value}", f"net.ipv4.ip_forward={value}"])


def codes(place: Place) -> list[str]:
    """Of the findings that the daemon shows."""
    return [row["code"] for row in place.ask("status")["findings"]]


@pytest.mark.parametrize("tables", ["router", "gateway", "translation"])
def test_what_was_no_router_becomes_none(between: Place, tables: str) -> None:
    text = {"router": ROUTER, "gateway": between.gateway, "translation": between.gateway + TRANSLATION}[
        tables
    ]
    between.write(text)
    before = between.state()
    for sign in (signal.SIGKILL, signal.SIGTERM):
        daemon = between.start()
        assert not passes(6) and not passes(4)
        assert between.ask("status")["roles"]["policy"]["guarded"] > 0
        wait_until("it is told", lambda: "FORWARDING-GUARDED" in codes(between), 10)
        between.run(["nft", "flush", "ruleset"])
        assert not passes(6) and not passes(4)
        wait_until("the guard is back", lambda: "inet manageout_guard" in between.state()["nft"], 10)
        between.stop(daemon, sign)
        assert not passes(6) and not passes(4)
    assert between.state() == before


def test_a_lost_note_is_made_up_for_by_the_guard(between: Place) -> None:
    before = between.state()
    between.stop(between.start(), signal.SIGKILL)
    (between.runtime / "undo.json").unlink()
    daemon = between.start()
    assert not passes(6)
    between.stop(daemon)
    assert between.state() == before


def test_what_was_a_router_stays_one(between: Place) -> None:
    between.write(between.gateway + TRANSLATION)
    forward(between, 1)
    daemon = between.start()
    assert passes(6) and passes(4) and "FORWARDING-GUARDED" not in codes(between)
    between.stop(daemon)
    assert passes(6) and passes(4)


def test_a_router_by_one_device_stays_one(between: Place) -> None:
    """IPv4 can be forwarded for single devices: what one receives, not what the other does."""
    between.write(between.gateway + TRANSLATION)
    between.run(["sysctl", "-qw", "net.ipv4.conf.outside.forwarding=1", "net.ipv4.conf.inside.forwarding=1"])
    daemon = between.start()
    assert passes(4) and not passes(6)
    between.stop(daemon)
    assert passes(4)


def test_errors_about_connections_of_others_stay_related(between: Place) -> None:
    """Our listener's port may be another server's as well: its connections pass, and are followed, as before us."""
    between.write(between.gateway.replace("10.0.0.1:443", "[::]:443") + TRANSLATION)
    forward(between, 1)
    daemon = between.start()
    watch = "type filter hook forward priority 10; icmpv6 type destination-unreachable"
    between.run(["nft", f"table inet watch {{ chain seen {{ {watch} ct state related counter accept; }}; }}"])
    refuse = "type filter hook input priority 0; tcp sport 443 reject with icmpx port-unreachable"
    netns.run("mo-test-inside", ["nft", f"table inet refuse {{ chain in {{ {refuse}; }}; }}"])
    argv = netns.command("mo-test-outside", [sys.executable, "-c", SERVE])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout and server.stdout.readline()
        call = f"exec 3<>/dev/tcp/{ENDS['outside'][0]}2/443"
        netns.run("mo-test-inside", ["timeout", "2", "bash", "-c", call], check=False)
        server.kill()
    seen = between.run(["nft", "list", "table", "inet", "watch"]).stdout
    assert "counter packets" in seen and "counter packets 0" not in seen
    between.stop(daemon)


@pytest.fixture
def bridges(place: Place, namespaces: Callable[[str], str]) -> Place:
    """The daemon's machine with two bridges: two machines at one, another at the other."""
    place.run(["sysctl", "-qw", "net.ipv6.conf.default.addr_gen_mode=1"])
    for number, nodes in enumerate((("left", "right"), ("elsewhere",))):
        bridge, six, four = f"br{number}", f"2001:db8:{number}::", f"192.0.{number}."
        place.run(["ip", "link", "add", bridge, "type", "bridge"])
        for line in (
            f"link set {bridge} up",
            f"address add {six}1/64 dev {bridge} nodad",
            f"address add {four}1/24 dev {bridge}",
        ):
            place.run(["ip", *line.split()])
        for host, node in enumerate(nodes, 2):
            other = namespaces(f"mo-test-{node}")
            for line in (
                f"link add {node} type veth peer name e0 netns {other}",
                f"link set {node} master {bridge} up",
                f"-n {other} link set e0 up",
                f"-n {other} address add {six}{host}/64 dev e0 nodad",
                f"-n {other} address add {four}{host}/24 dev e0",
                f"-n {other} route add default via {six}1",
                f"-n {other} route add default via {four}1",
            ):
                place.run(["ip", *line.split()])
            wait_until(f"{node} reaches the bridge", lambda: ping(node, f"{six}1"), 10)  # noqa: B023
    return place


@pytest.mark.parametrize("shown", [0, 1])
def test_what_a_bridge_passes_from_port_to_port_goes_on(bridges: Place, shown: int) -> None:
    """Whether the kernel shows it to the packet filter or not; and bridges are not joined by us."""
    names = ("net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables")
    if shown:
        this_kernel.require("br_netfilter")
    bridges.run(["sysctl", "-qw", *(f"{name}={shown}" for name in names)], check=shown == 1)
    bridges.write(bridges.gateway + TRANSLATION)
    before = bridges.state()["nft"]

    def bridged() -> bool:
        return ping("left", "2001:db8:0::3") and ping("left", "192.0.0.3")

    def routed() -> bool:
        return ping("left", "2001:db8:1::2") or ping("left", "192.0.1.2")

    for sign in (signal.SIGKILL, signal.SIGTERM):
        daemon = bridges.start()
        assert bridged() and not routed()
        bridges.stop(daemon, sign)
        assert bridged() and not routed()
    assert bridges.state()["nft"] == before
