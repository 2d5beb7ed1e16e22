"""What the rules are told of this machine's cards."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from ipaddress import ip_address

import pytest

from manageout.linux.host import netns
from manageout.linux.netlink.links import Netlink
from manageout.service.policy.surroundings import NOWHERE, Surroundings, surroundings
from manageout.site.plan import plan
from manageout.site.tables.site import parse

SITE = """
[site]
prefix = "fd12:3456:789a::/48"
[isatap]
locators = ["10.0.0.1"]
routers = ["10.0.1.2", "10.0.2.2"]
[[isatap.routes]]
prefix = "fd12:3456:789a:1001::/64"
via = "fd99::2"
"""


def ip(line: str) -> None:
    subprocess.run(["ip", *line.split()], check=True)


@pytest.fixture
def cards(namespaces: Callable[[str], str]) -> Iterator[None]:
    """The locator's, one that leads elsewhere in the intranet, and the Internet's."""
    with netns.inside(namespaces("mo-test-cards")):
        for name, address in (("inside", "10.0.0.1"), ("other", "10.0.1.1"), ("outside", "192.0.2.1")):
            ip(f"link add {name} type veth peer name {name}1")
            ip(f"link set {name} up")
            ip(f"link set {name}1 up")
            ip(f"address add {address}/24 dev {name}")
        ip("route add default via 192.0.2.2")
        yield


def seen(before: Surroundings = NOWHERE, text: str = SITE) -> Surroundings:
    site = parse(text)
    with Netlink() as netlink:
        return surroundings(netlink, site, plan(site), before)


def test_a_locator_is_on_its_card_unless_any_may_lead_to_it(cards: None) -> None:
    assert seen().underlays == ("inside",)
    ip("address add 10.0.0.3/32 dev lo")
    assert seen(text=SITE.replace("10.0.0.1", "10.0.0.3")).underlays == ()
    ip("address delete 10.0.0.1/24 dev inside")
    assert seen().underlays == ()


def test_other_routers_are_where_a_route_leads_and_stay_there_while_it_is_away(cards: None) -> None:
    ip("-6 address add fd99::1/64 dev inside nodad")
    first = seen()
    assert first.towards == {ip_address("10.0.1.2"): "other", ip_address("fd99::2"): "inside"}
    ip("link set other down")
    assert seen(first).towards == first.towards, "by the default route the Internet would have them"
    assert ip_address("10.0.1.2") not in seen().towards
    ip("route add 10.0.1.0/24 dev outside")
    assert seen(first).towards[ip_address("10.0.1.2")] == "outside"
    assert seen(first, SITE.replace("10.0.1.2", "10.0.1.3")).towards.keys() == {
        ip_address("10.0.1.3"),
        ip_address("fd99::2"),
    }
    assert not seen(first, SITE.replace('routers = ["10.0.1.2", "10.0.2.2"]', "")).towards
