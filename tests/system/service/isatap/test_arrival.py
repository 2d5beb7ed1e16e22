"""Protocol 41 counts only on the device that holds the locator (RFC 5214 7.3 rule 1)."""

from __future__ import annotations

import json

import pytest

from manageout.lab import inject, network, process, site
from manageout.lab.topology import HELPDESK, ISATAP_PREFIX
from manageout.site.plan import IPHTTPS_DEVICE, isatap_address
from manageout.wire import icmpv6, ipv6, numbers
from tests.tools.lab import Lab, capture, frames, ping

pytestmark = pytest.mark.parametrize(
    "lab", [("single", False), ("single", True)], ids=["python", "ebpf"], indirect=True
)


def refused(node: str) -> int:
    """Packets that the rule has counted, the first of its chain."""
    rules = json.loads(
        network.run(node, ["nft", "--json", "list", "chain", "inet", "manageout", "input"]).stdout
    )
    counters = [
        expression["counter"]["packets"]
        for item in rules["nftables"]
        for expression in item.get("rule", {}).get("expr", [])
        if "counter" in expression
    ]
    return int(counters[0])


def test_the_internet_cannot_speak_for_an_intranet_host(lab: Lab) -> None:
    """The helpdesk's address, IPv4 and IPv6, in packets from the other side of the gateway."""
    laptop = site.laptop_address()
    assert laptop and ping("helpdesk", laptop).returncode == 0
    source = isatap_address(ISATAP_PREFIX, HELPDESK)
    message = icmpv6.build(source.packed, laptop.packed, 128, 0, bytes(8))
    packet = ipv6.build(source.packed, laptop.packed, numbers.ICMPV6, message)
    locator = lab.topology.router_locator
    network.run("home", ["ip", "address", "add", f"{HELPDESK}/32", "dev", "lo"])
    network.run("home", ["ip", "route", "add", f"{locator}/32", "via", "198.51.100.10", "src", str(HELPDESK)])
    network.run(
        "home", ["nft", "insert rule ip nat postrouting ip protocol 41 accept"]
    )  # as it is, not NATed
    with capture("laptop", IPHTTPS_DEVICE, "icmp6 and ip6[40] == 128") as file:
        inject.send("home", locator, [packet] * 7)
        process.wait_until("the rule", lambda: refused(lab.router) == 7, 10)
        assert ping("helpdesk", laptop).returncode == 0
    assert len(frames(file)) == 1  # the ping
