"""What somebody changes on a gateway while connections run through it: traffic is back within two seconds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from manageout.lab import network, process
from manageout.lab.process import wait_until
from manageout.linux.host import netns
from tests.system.service.process.test_fast_path import detach, links_of
from tests.tools.lab import Lab
from tests.tools.places.outage import BOUND, Flow, at_gateway, codes, flows, now

pytestmark = pytest.mark.parametrize("lab", [("single", True)], indirect=True)


@pytest.fixture
def running(lab: Lab) -> Iterator[list[Flow]]:
    daemon = process.find("gateway", "run")
    with flows() as opened:
        yield opened
    assert process.find("gateway", "run") == daemon, "without a restart"


@pytest.mark.parametrize(
    "command",
    [
        "sysctl -qw net.ipv6.conf.all.forwarding=0",
        "sysctl -qw net.ipv4.conf.all.forwarding=0",
        "sysctl -qw net.ipv4.conf.mo-xlat0.forwarding=0",
        "sysctl -qw net.ipv6.conf.all.disable_ipv6=1",
        "ip link set mo-isatap0 down",
        "ip link set mo-iphttps0 down",
        "ip link set mo-xlat0 down",
        "ip link set mo-iphttps0 mtu 1400",
        "ip -6 address flush dev mo-isatap0",
        "ip -6 address flush dev mo-iphttps0",
        "ip route flush proto 61",
        "ip -6 route flush proto 61",
        "ip neigh flush proxy",
        "nft flush ruleset",
        "nft delete table inet manageout",
    ],
)
def test_traffic_is_back(running: list[Flow], command: str) -> None:
    since = now()
    network.run("gateway", command.split(), check=False)  # a table that is owned cannot be taken
    for flow in running:
        flow.flows(since)


def test_ebpf_programs_that_somebody_detaches(running: list[Flow]) -> None:
    daemon = process.find("gateway", "run")
    assert daemon
    before = links_of(daemon.pid)
    assert before
    since = now()
    for number in before:
        detach(number)
    for flow in running:
        flow.flows(since)
    wait_until("others are there", lambda: len(links_of(daemon.pid) - before) == len(before), BOUND)


def test_the_intranets_card_is_set_down_and_up(running: list[Flow]) -> None:
    at_gateway("ip link set intranet down")
    wait_until("it is told", lambda: "UNDERLAY-DOWN" in codes(), BOUND)
    at_gateway("ip link set intranet up")
    at_gateway("ip route replace 10.0.1.0/24 via 10.0.0.254")
    since = now()
    for flow in running:
        flow.flows(since, within=3 * BOUND)  # TCP waits longer from try to try
    wait_until("nothing is to be told", lambda: "UNDERLAY-DOWN" not in codes(), BOUND)


def test_the_intranets_card_goes_and_comes_back(running: list[Flow]) -> None:
    netns.create("mo-spare")
    try:
        at_gateway("ip link set intranet netns mo-spare")
        wait_until("it is told", lambda: "UNDERLAY-GONE" in codes(), BOUND)
        netns.run("mo-spare", ["ip", "link", "set", "intranet", "netns", "mo-gateway"])
    finally:
        netns.delete("mo-spare")
    for command in (
        "ip address add 10.0.0.1/24 dev intranet",
        "ip link set intranet up",
        "ip route add 10.0.1.0/24 via 10.0.0.254",
    ):
        at_gateway(command)
    since = now()
    for flow in running:
        flow.flows(since, within=3 * BOUND)
    wait_until("nothing is to be told", lambda: "UNDERLAY-GONE" not in codes(), BOUND)
