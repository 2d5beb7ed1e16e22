"""The lab's networks as data."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from manageout.errors import LabError
from manageout.lab import topology as module
from manageout.lab.topology import NAMES, SEGMENTS, topology


@pytest.mark.parametrize("name", NAMES)
def test_addresses_lie_in_their_segments_and_are_unique(name: str) -> None:
    ports = [port for node in topology(name).nodes for port in node.ports]
    assert all(port.address.network == SEGMENTS[port.segment] for port in ports)
    assert len({port.address for port in ports}) == len(ports)


@pytest.mark.parametrize("name", NAMES)
def test_next_hops_are_neighbours(name: str) -> None:
    for node in topology(name).nodes:
        for _, via in node.routes:
            assert any(via in port.address.network for port in node.ports), node.name


def test_the_named_addresses_are_those_of_the_nodes() -> None:
    single = topology("single")
    assert single.node("helpdesk").ports[0].address.ip == module.HELPDESK
    assert single.node("kiosk").ports[0].address.ip == module.KIOSK
    assert single.node("dc").ports[0].address.ip == module.DNS_INTRANET
    assert single.node("gateway").ports[0].address.ip == module.GATEWAY_PUBLIC


@pytest.mark.parametrize(
    ("name", "router", "locator"), [("single", "gateway", 1), ("external-router", "isatap", 2)]
)
def test_the_router(name: str, router: str, locator: int) -> None:
    wanted = topology(name)
    assert wanted.router == router
    assert wanted.router_locator == ip_address(f"10.0.0.{locator}")
    assert (wanted.router_link is None) == (router == "gateway")


def test_unknown_names_are_told_with_the_known_ones() -> None:
    with pytest.raises(LabError, match="no topology ring") as caught:
        topology("ring")
    assert "external-router" in caught.value.hint
    with pytest.raises(LabError, match="no node isatap"):
        topology("single").node("isatap")
