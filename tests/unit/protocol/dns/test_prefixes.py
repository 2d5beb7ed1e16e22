"""NAT64 prefixes as DNS64 uses them, all lengths of RFC 6052; vectors are the tables of the RFCs."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest

from manageout.protocol.dns.prefixes import Prefixes
from manageout.wire import dns as wire

ANY = (IPv4Network("0.0.0.0/0"),)
LENGTHS = [
    ("2001:db8::/32", "2001:db8:c000:221::"),
    ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
    ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
    ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
    ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
    ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
]


@pytest.mark.parametrize(("prefix", "address"), LENGTHS)
def test_rfc6052_2_4_there_and_back(prefix: str, address: str) -> None:
    prefixes = Prefixes([(IPv6Network(prefix), ANY)])
    v6 = IPv6Address(address)
    assert prefixes.synthesise(IPv4Address("192.0.2.33").packed) == (v6.packed,)
    name = v6.reverse_pointer
    zone = name[2 * (128 - IPv6Network(prefix).prefixlen) // 4 :]
    where = prefixes.reverse(wire.to_wire(name))
    assert where == (wire.to_wire("33.2.0.192.in-addr.arpa"), wire.to_wire(zone))
    assert prefixes.excludes(v6.packed)


@pytest.mark.parametrize(
    "name",
    [
        "ip6.arpa",
        "1.ip6.arpa",
        "20.0.0.10.in-addr.arpa",
        "x" + ".0" * 31 + ".ip6.arpa",
        "00" + ".0" * 31 + ".ip6.arpa",
        "1" + ".0" * 30 + "._.ip6.arpa",
        "1._" + ".0" * 30 + ".ip6.arpa",
        "1" + ".0" * 30 + ".+.ip6.arpa",
        "1" + ".0" * 31 + ".ip6.arpa.corp.example",
    ],
)
def test_what_is_no_address_below_a_prefix(name: str) -> None:
    assert Prefixes([(IPv6Network("::/96"), ANY)]).reverse(wire.to_wire(name)) is None


def test_ranges_hold() -> None:
    prefixes = Prefixes([(IPv6Network("2001:db8::/96"), (IPv4Network("10.0.0.0/8"),))])
    assert prefixes.synthesise(bytes((192, 0, 2, 1))) == ()


@pytest.mark.parametrize("v4", ["0.0.0.0", "127.0.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255"])
def test_rfc3927_7_nothing_is_synthesised_for_what_no_router_forwards(v4: str) -> None:
    assert Prefixes([(IPv6Network("2001:db8::/96"), ANY)]).synthesise(IPv4Address(v4).packed) == ()


@pytest.mark.parametrize(("v4", "addresses"), [("192.0.0.8", 0), ("192.0.0.200", 0), ("192.0.0.9", 1)])
def test_rfc6052_3_1_by_the_same_list_as_the_translator(v4: str, addresses: int) -> None:
    assert len(Prefixes([(IPv6Network("64:ff9b::/96"), ANY)]).synthesise(IPv4Address(v4).packed)) == addresses


def test_rfc6147_5_3_1_names_are_below_a_prefix_whichever_ipv4_addresses_it_is_for() -> None:
    prefixes = Prefixes([(IPv6Network("2001:db8::/96"), (IPv4Network("10.0.0.0/8"),))])
    for address in ("2001:db8::192.0.2.1", "64:ff9b::192.0.2.1"):
        where = prefixes.reverse(wire.to_wire(IPv6Address(address).reverse_pointer))
        assert where and where.target == wire.to_wire("1.2.0.192.in-addr.arpa")
    other = IPv6Address("2001:db8:1::192.0.2.1").reverse_pointer
    assert prefixes.reverse(wire.to_wire(other)) is None
