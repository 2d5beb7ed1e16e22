"""Where DirectAccess puts its own addresses below a deployment's /48."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest

from manageout.windows.deployment import deployment, dns64_of, is_dns64, subnet

PREFIX = IPv6Network("fd77:4b19:a3c8::/48")


def test_dns64_of_a_deployment() -> None:
    address = dns64_of(PREFIX)
    assert address == IPv6Address("fd77:4b19:a3c8:3333::1")
    assert is_dns64(address) and deployment(address) == PREFIX and subnet(address) == 0x3333


@pytest.mark.parametrize(
    ("address", "own"),
    [("fd77:4b19:a3c8:3333::2", True), ("fd77:4b19:a3c8:3333::", False), ("fd77:4b19:a3c8:3333::5efe:a15:804", False),
     ("fd77:4b19:a3c8:7777::a15:804", False), ("fe80::1", False)],
)  # fmt: skip
def test_addresses_that_may_be_dns64s(address: str, own: bool) -> None:
    assert is_dns64(IPv6Address(address)) == own


def test_what_is_no_ipv6_address_is_not_dns64s() -> None:
    assert not is_dns64(IPv4Address("10.21.8.4")) and not is_dns64(None)
