"""Addresses that are not for everybody: the one list of DNS64, the translator and all notes about addresses.

It is the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, RFC 8190) and multicast (RFC 5771, RFC 4291
2.7). ``ipaddress`` has a copy of its own, which is another one in each version of Python.
"""

from ipaddress import IPv4Network, IPv6Address, IPv6Network


def networks4(text: str) -> tuple[IPv4Network, ...]:
    """As written one behind the other."""
    return tuple(map(IPv4Network, text.split()))


def networks6(text: str) -> tuple[IPv6Network, ...]:
    """The same of IPv6."""
    return tuple(map(IPv6Network, text.split()))


_NOT_GLOBAL = networks4("""
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
    192.0.2.0/24 192.88.99.2/32 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24
    224.0.0.0/3
""")
_PORT_CONTROL_ANYCAST = bytes((192, 0, 0, 9))
_TURN_ANYCAST = bytes((192, 0, 0, 10))
_GLOBAL_ALL_THE_SAME = (_PORT_CONTROL_ANYCAST, _TURN_ANYCAST)
"""RFC 7723 and RFC 8155, inside 192.0.0.0/24."""


_NOT_GLOBAL6 = networks6("""
    ::/127 ::ffff:0:0/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001:db8::/32
    3fff::/20 5f00::/16 fc00::/7 fe80::/10 ff00::/8
""")
_GLOBAL6_ALL_THE_SAME = networks6("""
    2001:1::1/128 2001:1::2/128 2001:1::3/128 2001:3::/32 2001:4:112::/48 2001:20::/28
    2001:30::/28
""")


def _by_first_octet() -> dict[int, list[tuple[int, int]]]:
    """The networks that may hold an address: bits, and how many are left out."""
    found: dict[int, list[tuple[int, int]]] = {}
    for network in _NOT_GLOBAL:
        shift = 32 - network.prefixlen
        entry = int(network.network_address) >> shift, shift
        for octet in range(network[0].packed[0], network[-1].packed[0] + 1):
            found.setdefault(octet, []).append(entry)
    return found


_NETWORKS = _by_first_octet()


def is_global(v4: bytes) -> bool:
    """Whether ``v4`` (4 bytes) is one host's everywhere: RFC 6052 3.1 keeps the others from the Well-Known Prefix."""
    networks = _NETWORKS.get(v4[0])
    if networks is None or v4 in _GLOBAL_ALL_THE_SAME:
        return True
    value = int.from_bytes(v4, "big")
    return not any(value >> shift == bits for bits, shift in networks)


def is_global6(address: IPv6Address) -> bool:
    """The same of IPv6, as far as the registry says; 6to4 is as global as what lies in it."""
    special = any(address in network for network in _NOT_GLOBAL6)
    return not special or any(address in network for network in _GLOBAL6_ALL_THE_SAME)


ILLEGAL4 = networks4("0.0.0.0/8 127.0.0.0/8 169.254.0.0/16 224.0.0.0/3")
ILLEGAL6 = networks6("::/96 ::ffff:0:0/96 fe80::/10 ff00::/8")
"""What no router forwards."""


def illegal4(v4: bytes) -> bool:
    """Whether no router may forward ``v4`` (4 bytes): it is no single host's, or means another host on each link.

    0/8, 127/8, multicast, reserved, broadcast (RFC 1812 5.3.7); 169.254/16 (RFC 3927 2.7, 7).
    """
    return v4[0] in (0, 127) or v4[0] >= 224 or v4[:2] == b"\xa9\xfe"
