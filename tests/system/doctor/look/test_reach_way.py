"""`manageout doctor reach` in the lab: right about each way of breaking the path between manager and client."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from manageout.lab import network, process, site
from manageout.lab.process import wait_until
from manageout.linux.host import netns
from tests.system.doctor.look.test_live import broken, filtered, run
from tests.tools.lab import Lab, other_rules
from tests.tools.places.reach import codes, hops, reach

FORWARD = "chain f { type filter hook forward priority 0; policy accept;\n %s\n }"
OUTPUT = "chain o { type filter hook output priority 0; policy accept;\n %s\n }"
INPUT = "chain i { type filter hook input priority 0; policy accept;\n %s\n }"


# --- The way --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("node", ["gateway", "helpdesk"])
def test_protocol_41_is_filtered(lab: Lab, node: str) -> None:
    wanted = "PROTOCOL-41" if node == "gateway" else "ROUTER-SILENT"
    with filtered("core", FORWARD % "meta l4proto 41 drop"):
        assert codes(node, "--port", "80") == [wanted]
    with broken("core", "ip rule add pref 10 ipproto 41 prohibit", "ip rule del pref 10"):
        assert codes(node, "--port", "80") == ["PROTOCOL-41"]


def test_a_black_hole_for_large_packets(lab: Lab) -> None:
    narrow = ("ip link set intranet mtu 1200", "ip link set intranet mtu 1500")
    drop = OUTPUT % "icmp type destination-unreachable drop"
    with broken("core", *narrow), filtered("core", drop):
        assert codes("gateway", "--port", "80") == ["MTU"]
        assert codes("helpdesk", "--port", "80") == ["MTU"]


@contextmanager
def no_arp(lease: object) -> Iterator[None]:
    """The gateway answers for no lease, although its daemon puts back what is taken from it."""
    script = f"for i in $(seq 900); do ip neigh del proxy {lease} dev intranet; sleep 0.1; done"
    rules = "table arp mo-test {\nchain i {\ntype filter hook input priority 0;\n%s\n}\n}\n"
    for node in ("core", "app"):  # what it announces then is not heard
        network.run(node, ["nft", "-f", "-"], text=rules % f"arp saddr ip {lease} drop")
    argv = netns.command(network.namespace("gateway"), ["bash", "-c", script])
    again = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        again.kill()
        again.wait()
        for node in ("core", "app"):
            run(node, "nft delete table arp mo-test")


def test_nobody_answers_for_the_lease(lab: Lab) -> None:
    lease = site.lease("laptop")
    with no_arp(lease):
        for node in ("core", "app"):
            run(node, "ip neigh flush all")
        wait_until("it is told", lambda: codes("gateway", "--port", "80") == ["LEASE-NO-WAY"], 60)
        assert codes("helpdesk", "--port", "80") == ["LEASE-NO-WAY"]
        assert codes("app", "app", "laptop", "--port", "80") == ["LEASE-NO-WAY"]
    wait_until("it is well again", lambda: codes("app", "app", "laptop", "--port", "80") == [], 60)


@pytest.mark.parametrize("verdict", ["drop", "reject"])
def test_the_client_s_firewall(lab: Lab, verdict: str) -> None:
    with filtered("laptop", INPUT % f"tcp dport 80 {verdict}"):
        for node in ("gateway", "helpdesk"):
            assert codes(node, "--port", "80") == ["CLIENT-FIREWALL"]
        assert codes("gateway", "--port", "22") == []


def test_a_firewall_that_lets_only_the_gateway_in(lab: Lab) -> None:
    """Asked in the manager's name, the gateway sees what the manager sees."""
    own = site.gateway_plan().client_prefix
    with filtered("laptop", INPUT % f"ip6 saddr {own} accept\n tcp dport 80 drop"):
        assert codes("gateway", "--port", "80") == ["CLIENT-FIREWALL"]


def test_a_port_that_nobody_serves(lab: Lab) -> None:
    with other_rules("gateway", '"tcp/22"', '"tcp/22", "tcp/3389"'):
        assert codes("gateway", "--port", "3389") == ["CLIENT-CLOSED"]
        assert codes("helpdesk", "--port", "3389") == ["CLIENT-CLOSED"]


def test_a_client_that_says_nothing(lab: Lab) -> None:
    with filtered("laptop", INPUT % 'iifname "mo-*" drop'):
        assert codes("helpdesk", "--port", "80") == ["CLIENT-SILENT"]


def test_a_client_that_has_just_gone_is_no_firewall(lab: Lab) -> None:
    """Its line dies; the gateway has heard of it a moment ago and holds it for connected."""
    run("laptop", "ping -c 1 -W 2 " + str(site.gateway_plan().gateway_address))
    client = process.find("laptop", "connect")
    assert client is not None
    os.kill(client.pid, signal.SIGSTOP)
    try:
        found = reach("gateway", "helpdesk", "laptop", "--port", "80")
    finally:
        os.kill(client.pid, signal.SIGCONT)
    assert {finding["code"] for finding in found["findings"]} == {"REACH-CLIENT-SILENT"}
    words = [hop["words"] for hop in found["hops"] if hop["what"] == "client answers"]
    assert words and all("nothing has come from it for" in each and "no ping" in each for each in words)
    assert all("past its own forwarding and filter" in each for each in words)


@pytest.mark.parametrize("name", ["net.ipv6.conf.all.forwarding", "net.ipv4.conf.intranet.forwarding"])
def test_a_gateway_that_does_not_forward(lab: Lab, name: str) -> None:
    """The client answers the gateway itself, and no manager. The daemon puts it back, but not for ever."""

    def told() -> bool:
        run("gateway", f"sysctl -qw {name}=0")
        return "FORWARDING" in codes("gateway", "--port", "80")

    try:
        wait_until("it is told", told, 120)
    finally:
        run("gateway", f"sysctl -qw {name}=1")
    wait_until("it is well again", lambda: codes("gateway", "--port", "80") == [], 30)


def test_somebody_else_s_packet_filter(lab: Lab) -> None:
    with filtered("gateway", FORWARD % 'oifname "mo-iphttps0" tcp dport 80 drop'):
        assert codes("gateway", "--port", "80") == ["FILTER"]
        assert codes("gateway", "--port", "22") == []


# --- The ISATAP router is another machine ----------------------------------------------------------------

APART = pytest.mark.parametrize("lab", [("external-router", True)], indirect=True)


@APART
def test_a_router_apart(lab: Lab) -> None:
    for node in ("gateway", "isatap", "helpdesk"):
        assert codes(node, "--port", "80") == [], node
    gateway, router = reach("gateway", "helpdesk", "laptop"), reach("isatap", "helpdesk", "laptop")
    assert {("isatap", "ISATAP router"), ("both", "client connected")} <= hops(gateway, "ok")
    assert {("isatap", "protocol 41")} <= hops(router, "ok")
    assert {("both", "client connected"), ("lease", "client answers")} <= hops(router, "unseen")


@APART
def test_protocol_41_is_filtered_before_a_router_apart(lab: Lab) -> None:
    with filtered("core", FORWARD % "meta l4proto 41 drop"):
        assert codes("isatap", "--port", "80") == ["PROTOCOL-41"]
        assert codes("helpdesk", "--port", "80") == ["ROUTER-SILENT"]


@APART
def test_a_client_firewall_and_policy_seen_from_a_gateway_with_a_router_apart(lab: Lab) -> None:
    with filtered("laptop", INPUT % "tcp dport 80 drop"):
        assert codes("gateway", "--port", "80") == ["CLIENT-FIREWALL"]
    assert codes("gateway", "--port", "3389") == ["POLICY-SERVICE"]
    assert codes("isatap", "kiosk", "laptop", "--port", "80") == ["POLICY-HOST"]


@APART
def test_the_daemon_of_a_router_apart_is_down(lab: Lab) -> None:
    daemon = process.find("isatap", "run")
    assert daemon
    process.stop(daemon)
    try:
        assert codes("gateway", "--port", "80") == ["ROUTER-OFF"]
        assert codes("helpdesk", "--port", "80") == ["ROUTER-OFF"]
        config = str(network.directory("isatap") / "site.toml")
        assert codes("isatap", "--config", config) == ["DAEMON-DOWN"]
    finally:
        started = site.start_daemon("isatap")
        process.wait_until("it is back", lambda: site.ready("isatap"), 60, [started])
