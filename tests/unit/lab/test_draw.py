"""The picture of the lab."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from manageout.lab import draw
from manageout.lab.topology import NAMES, topology

LAPTOP = IPv6Address("fd12:3456:789a:1000::77")
LEASE = IPv4Address("10.0.0.129")
HELPDESK = IPv6Address("fd12:3456:789a:1:0:5efe:a00:11e")


@pytest.mark.parametrize("name", NAMES)
def test_every_node_and_address_is_drawn(name: str) -> None:
    wanted = topology(name)
    text = draw.picture(wanted)
    for node in wanted.nodes:
        assert node.name in text
        for port in node.ports:
            assert f".{int(port.address.ip) & 255}" in text
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.parametrize("name", NAMES)
def test_links_show_the_addresses_in_use(name: str) -> None:
    text = draw.links(topology(name), LAPTOP, HELPDESK, LEASE)
    assert str(LEASE) in text
    assert str(LAPTOP) in text and str(HELPDESK) in text
    assert ("isatap    fd12:3456:789a:2::2" in text) == (name == "external-router")


def test_links_before_anyone_is_there() -> None:
    text = draw.links(topology("single"), None, None)
    assert "(not connected)" in text and "(not joined)" in text
