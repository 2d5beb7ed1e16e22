"""Addresses both ways: RFC 6052's and RFC 7757's own tables."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest

from manageout.errors import AddressError
from manageout.protocol.translate.mappings import Mappings, illegal6
from manageout.wire.special import ILLEGAL6
from tests.vectors import names, vector

EAM = [
    (IPv4Network(v4), IPv6Network(v6))
    for v4, v6 in (
        ("192.0.2.1/32", "2001:db8:aaaa::/128"),
        ("192.0.2.2/32", "2001:db8:bbbb::b/128"),
        ("192.0.2.16/28", "2001:db8:cccc::/124"),
        ("192.0.2.128/26", "2001:db8:dddd::/64"),
        ("192.0.2.192/29", "2001:db8:eeee:8::/62"),
        ("192.0.2.224/31", "64:ff9b::/127"),
    )
]


def made(prefix: str = "64:ff9b::/96", **options: object) -> Mappings:
    return Mappings(IPv6Network(prefix), own4=bytes(4), own6=bytes(16), **options)  # type: ignore[arg-type]


def packed(text: str) -> bytes:
    return IPv4Address(text).packed


@pytest.mark.parametrize("name", [name for name in names("6052_") if name.rpartition("_")[2].isdigit()])
def test_rfc6052_2_4_text_representation(name: str) -> None:
    """Every prefix length, both ways."""
    _, network, length = name.split("_")
    maps = made(f"{network}/{length}")
    assert maps.embed(packed("192.0.2.33")) == vector(name)
    assert maps.extract(vector(name)) == packed("192.0.2.33")
    assert maps.extract(IPv6Address("2002::1").packed) is None


@pytest.mark.parametrize("name", [name for name in names("EAM_") if name != "EAM_192.0.2.248"])
def test_rfc7757_figure_7(name: str) -> None:
    v4 = packed(name.removeprefix("EAM_"))
    maps = made(eam=EAM)
    assert maps.explicit6(v4) == vector(name)
    assert maps.explicit4(vector(name)) == v4


def test_rfc7757_figure_7_without_a_mapping() -> None:
    maps = made(eam=EAM)
    assert maps.explicit6(packed("192.0.2.248")) is None
    assert maps.embed(packed("192.0.2.248")) == vector("EAM_192.0.2.248")


@pytest.mark.parametrize(
    "eam", [[("10.0.0.0/8", "2001:db8::/112")], [("10.0.0.1/32", "::1/128"), ("10.0.0.1/32", "::2/128")]]
)
def test_rfc7757_3_2_impossible_mappings(eam: list[tuple[str, str]]) -> None:
    with pytest.raises(AddressError):
        made(eam=[(IPv4Network(v4), IPv6Network(v6)) for v4, v6 in eam])


def test_leases_replace_each_other() -> None:
    maps = made(pool=IPv4Network("10.0.0.128/25"))
    a, b, one, two = b"a" * 16, b"b" * 16, packed("10.0.0.129"), packed("10.0.0.130")
    maps.set_lease(a, one)
    maps.set_lease(b, one)
    assert (maps.explicit4(a), maps.explicit4(b), maps.explicit6(one)) == (None, one, b)
    maps.set_lease(b, two)
    assert (maps.explicit6(one), maps.explicit6(two)) == (None, b)
    maps.clear_lease(b)
    maps.clear_lease(b)
    assert not maps.leases and not maps.leases4
    assert maps.in_pool(one) and not maps.in_pool(packed("10.0.0.1"))


@pytest.mark.parametrize(
    ("v4", "forbidden"), [("10.1.2.3", True), ("192.0.0.8", True), ("192.0.0.9", False), ("8.8.8.8", False)]
)
def test_rfc6052_3_1_private_under_the_well_known_prefix(v4: str, forbidden: bool) -> None:
    assert made().forbidden(packed(v4)) is forbidden
    assert not made("2001:db8::/96").forbidden(packed(v4))
    assert not made().fast and made("2001:db8::/96").fast and not made("2001:db8::/64").fast


def test_illegal_addresses() -> None:
    assert all(
        illegal6(IPv6Address(text).packed) for text in ("::", "::1", "ff02::1", "fe80::1", "::ffff:1.2.3.4")
    )
    assert not any(
        illegal6(IPv6Address(text).packed) for text in ("fec0::1", "64:ff9b::1", "fd00::1", "2001::1")
    )


@pytest.mark.parametrize("block", ILLEGAL6)
def test_illegal_addresses_are_those_of_the_site_file(block: IPv6Network) -> None:
    assert illegal6(block[0].packed) and illegal6(block[-1].packed)
    after = IPv6Address((int(block[-1]) + 1) % 2**128)
    assert illegal6(after.packed) is any(after in each for each in ILLEGAL6)


def test_rfc6052_2_2_u_octet_and_suffix_are_ignored() -> None:
    maps = made("2001:db8:122:344::/64")
    v6 = bytearray(maps.embed(packed("192.0.2.33")))
    v6[8], v6[15] = 0xFF, 0x55
    assert maps.extract(bytes(v6)) == packed("192.0.2.33")
