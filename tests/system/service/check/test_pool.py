"""``manageout check`` and the pool of leases: whoever has an address of it is found."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator

import pytest

from manageout.errors import KernelError
from manageout.lab.process import wait_until
from manageout.linux.host import netns
from manageout.linux.netlink.links import Netlink
from manageout.linux.packets.arp import who_has
from manageout.service.check.pool import pool
from manageout.site.contradictions import read_site
from tests.tools.places.daemon import NAME, Place

OTHER = "mo-test-other"
TRANSLATION = '\n[translation]\npool = "{}"\n'


@pytest.fixture
def other(place: Place, namespaces: Callable[[str], str]) -> Iterator[Callable[..., None]]:
    """Another machine on the link; gives it addresses."""
    namespaces(OTHER)
    place.run(["ip", "link", "set", "e1", "netns", OTHER])
    netns.run(OTHER, ["ip", "link", "set", "e1", "up"])
    wait_until("the link is up", lambda: "LOWER_UP" in place.run(["ip", "link", "show", "e0"]).stdout, 10)

    def give(*addresses: str) -> None:
        for address in addresses:
            netns.run(OTHER, ["ip", "address", "add", f"{address}/24", "dev", "e1"])

    yield give


def found(place: Place, network: str, more: str = "") -> list[str]:
    """What the check says about a pool."""
    place.write(place.gateway, TRANSLATION.format(network) + more)
    made = read_site(place.file)

    with netns.inside(NAME), Netlink() as netlink:
        return [f"{severity}: {message}" for severity, message, remedy in pool(*made, netlink) if remedy]


def test_a_pool_that_nobody_uses(place: Place, other: Callable[..., None]) -> None:
    other("10.0.0.20", "10.0.0.192")
    assert found(place, "10.0.0.128/26") == []


def test_a_pool_within_a_managers_network(place: Place, other: Callable[..., None]) -> None:
    rule = '[[policy.managers]]\nfrom = ["{}"]\nservices = ["any"]\n'
    (line,) = found(place, "10.0.0.128/26", rule.format("10.0.0.0/24"))
    assert line.startswith("warning: policy.managers.0.from: 10.0.0.0/24 holds leases of 10.0.0.128/26")
    assert found(place, "10.0.0.128/26", rule.format("10.0.0.0/25")) == []


def test_an_address_in_use_is_found_and_named(place: Place, other: Callable[..., None]) -> None:
    other("10.0.0.131")
    (link,) = json.loads(netns.run(OTHER, ["ip", "-j", "link", "show", "e1"]).stdout)
    mac = link["address"]
    assert found(place, "10.0.0.128/26") == [f"error: 10.0.0.131 of the pool is in use by {mac} on e0"]


def test_a_fixed_lease_far_inside_is_asked_for_too(place: Place, other: Callable[..., None]) -> None:
    place.run(["ip", "address", "add", "10.9.0.1/16", "dev", "e0"])
    netns.run(OTHER, ["ip", "address", "add", "10.9.77.7/16", "dev", "e1"])
    assert found(place, "10.9.64.0/18") == []
    (message,) = found(place, "10.9.64.0/18", 'fixed = { "laptop.corp.example" = "10.9.77.7" }\n')
    assert message.startswith("error: 10.9.77.7 of the pool is in use by")


def test_a_proxy_for_everything_is_one_finding(place: Place, other: Callable[..., None]) -> None:
    other("10.0.0.20")
    for setting in ("all.forwarding", "e1.proxy_arp"):
        netns.run(OTHER, ["sysctl", "-q", f"net.ipv4.conf.{setting}=1"])
    netns.run(OTHER, ["sysctl", "-q", "net.ipv4.neigh.e1.proxy_delay=0"])
    netns.run(OTHER, ["ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1"])
    netns.run(OTHER, ["ip", "link", "set", "d0", "up"])
    netns.run(OTHER, ["ip", "link", "set", "d1", "up"])
    netns.run(OTHER, ["ip", "route", "add", "10.0.0.128/26", "dev", "d0"])
    (message,) = found(place, "10.0.0.128/26")
    assert "answers for 62 of 62 addresses of 10.0.0.128/26" in message


def test_own_addresses_routers_and_subnets_are_no_leases(place: Place) -> None:
    place.run(["ip", "address", "add", "10.0.0.130/24", "dev", "e0"])
    assert (
        found(place, "10.0.0.128/26")[0] == "error: 10.0.0.128/26 has 10.0.0.130, this machine's own address"
    )
    place.run(["ip", "route", "add", "10.5.0.0/16", "via", "10.0.0.254"])
    assert (
        found(place, "10.0.0.192/26")[0]
        == "error: 10.0.0.192/26 has 10.0.0.254, a router: the way to 10.5.0.0/16"
    )
    place.run(["ip", "address", "add", "10.6.6.1/24", "dev", "e0"])
    assert "error: 10.6.0.0/16 covers 10.6.6.0/24, the subnet of e0" in found(place, "10.6.0.0/16")


def test_a_pool_elsewhere_needs_a_route(place: Place) -> None:
    (message,) = found(place, "10.77.0.0/24")
    assert message.startswith("note: 10.77.0.0/24 is in no subnet of this machine")
    assert found(place, "10.77.0.0/24", "masquerade = true\n") == []


def test_the_command_refuses_a_pool_in_use(place: Place, other: Callable[..., None]) -> None:
    other("10.0.0.129")
    place.write(place.gateway, TRANSLATION.format("10.0.0.128/26"))
    command = ["manageout", "check", "--config", str(place.file), "--runtime-dir", str(place.runtime)]
    done = place.run([sys.executable, "-m", *command], check=False)
    assert done.returncode == 1
    assert "error    leases: 10.0.0.129 of the pool is in use by" in done.stdout


def test_who_has_needs_an_ethernet(place: Place) -> None:
    for dev, said in (("none0", "cannot ask by ARP"), ("lo", "no Ethernet")):
        with netns.inside(NAME), pytest.raises(KernelError, match=said):
            who_has(dev, bytes(4), [bytes(4)], 0.1)
