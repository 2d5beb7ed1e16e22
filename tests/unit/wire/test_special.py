"""The rows of the IANA Special-Purpose Address Registries, and their edges."""

from __future__ import annotations

import ast
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

import pytest

import manageout
from manageout.wire.special import ILLEGAL4, illegal4, is_global, is_global6

# "Globally Reachable" of each row; multicast has a registry of its own (RFC 5771).
REGISTRY = {
    "0.0.0.0/8": False,
    "10.0.0.0/8": False,
    "100.64.0.0/10": False,
    "127.0.0.0/8": False,
    "169.254.0.0/16": False,
    "172.16.0.0/12": False,
    "192.0.0.0/29": False,
    "192.0.0.8/32": False,
    "192.0.0.9/32": True,
    "192.0.0.10/32": True,
    "192.0.0.11/32": False,
    "192.0.0.170/31": False,
    "192.0.0.200/32": False,
    "192.0.0.255/32": False,
    "192.0.2.0/24": False,
    "192.31.196.0/24": True,
    "192.52.193.0/24": True,
    "192.88.99.1/32": True,
    "192.88.99.2/32": False,
    "192.88.99.3/32": True,
    "192.168.0.0/16": False,
    "192.175.48.0/24": True,
    "198.18.0.0/15": False,
    "198.51.100.0/24": False,
    "203.0.113.0/24": False,
    "224.0.0.0/4": False,
    "240.0.0.0/4": False,
}


@pytest.mark.parametrize(("network", "reachable"), REGISTRY.items())
def test_globally_reachable(network: str, reachable: bool) -> None:
    block = IPv4Network(network)
    assert {is_global(block[place].packed) for place in (0, block.num_addresses // 2, -1)} == {reachable}


@pytest.mark.parametrize(
    "pair",
    [
        ("9.255.255.255", "11.0.0.0"),
        ("100.63.255.255", "100.128.0.0"),
        ("126.255.255.255", "128.0.0.0"),
        ("169.253.255.255", "169.255.0.0"),
        ("172.15.255.255", "172.32.0.0"),
        ("191.255.255.255", "192.0.1.0"),
        ("192.0.3.0", "192.167.255.255"),
        ("192.169.0.0", "198.17.255.255"),
        ("198.20.0.0", "198.51.99.255"),
        ("203.0.112.255", "203.0.114.0"),
        ("1.0.0.0", "223.255.255.255"),
    ],
)
def test_what_lies_beside_a_block_is_global(pair: tuple[str, str]) -> None:
    assert all(is_global(IPv4Address(text).packed) for text in pair)


# The rows of IPv6 with "Globally Reachable", and what is no row's; 2002::/16 has "N/A" there.
REGISTRY6 = {
    "::/128": False,
    "::1/128": False,
    "::ffff:0:0/96": False,
    "64:ff9b::/96": True,
    "64:ff9b:1::/48": False,
    "100::/64": False,
    "100:0:0:1::/64": False,
    "2001::/32": False,
    "2001:1::1/128": True,
    "2001:1::2/128": True,
    "2001:1::3/128": True,
    "2001:1::4/128": False,
    "2001:2::/48": False,
    "2001:3::/32": True,
    "2001:4:112::/48": True,
    "2001:10::/28": False,
    "2001:20::/28": True,
    "2001:30::/28": True,
    "2001:200::/23": True,
    "2001:db7::/32": True,
    "2001:db8::/32": False,
    "2001:db9::/32": True,
    "2002::/16": True,
    "2606:4700::/32": True,
    "3fff::/20": False,
    "3fff:1000::/20": True,
    "5f00::/16": False,
    "fc00::/7": False,
    "fe80::/10": False,
    "ff00::/8": False,
}


@pytest.mark.parametrize(("network", "reachable"), REGISTRY6.items())
def test_globally_reachable_by_ipv6(network: str, reachable: bool) -> None:
    block = IPv6Network(network)
    assert {is_global6(IPv6Address(int(block[place]))) for place in (0, -1)} == {reachable}


def test_nobody_asks_python_instead() -> None:
    """Its lists differ from version to version, and between builders of one version."""
    source = Path(manageout.__file__).parent
    asking = {
        f"{path.relative_to(source)}:{node.lineno}"
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("is_global", "is_private")
    }
    assert asking == set()


@pytest.mark.parametrize(
    ("network", "illegal"),
    [
        ("0.0.0.0/8", True),
        ("127.0.0.0/8", True),
        ("169.254.0.0/16", True),
        ("224.0.0.0/3", True),
        ("169.253.255.255/32", False),
        ("169.255.0.0/32", False),
        ("10.0.0.0/8", False),
        ("192.0.2.0/24", False),
        ("223.255.255.255/32", False),
    ],
)
def test_what_no_router_forwards(network: str, illegal: bool) -> None:
    block = IPv4Network(network)
    assert illegal4(block[0].packed) is illegal4(block[-1].packed) is illegal


def test_the_blocks_are_what_no_router_forwards() -> None:
    for number in range(0x10000):
        v4 = number.to_bytes(2, "big") + b"\1\1"
        assert illegal4(v4) is any(IPv4Address(v4) in block for block in ILLEGAL4)
