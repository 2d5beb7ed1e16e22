"""Where DirectAccess puts its own addresses below a deployment's /48, unless somebody has chosen others."""

from ipaddress import IPv6Address, IPv6Network
from typing import TypeGuard

DNS64, NAT64 = 0x3333, 0x7777
"""The fourth group of DNS64's address (its identifier is 1, in a farm each node's own from 2 on), of NAT64's /96."""
CLIENTS = range(0x1000, 0x1020)
"""That of IP-HTTPS clients' /64, or of the /59 of a farm."""


def subnet(address: IPv6Address) -> int:
    """The fourth group of an address."""
    return int(address) >> 64 & 0xFFFF


def deployment(address: IPv6Address) -> IPv6Network:
    """The /48 that holds an address."""
    return IPv6Network((int(address) >> 80 << 80, 48))


def dns64_of(network: IPv6Network) -> IPv6Address:
    """DNS64's address in a deployment's /48."""
    return network[DNS64 << 64 | 1]


def is_dns64(address: object) -> TypeGuard[IPv6Address]:
    """Whether an address is one of DNS64's."""
    return (
        isinstance(address, IPv6Address)
        and subnet(address) == DNS64
        and 0 < int(address) & (1 << 64) - 1 < 0x100
    )
