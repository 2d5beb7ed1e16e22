"""Addresses within addresses: the vectors, Linux's rule against the RFC's, and what ``explain`` says."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import pytest

from manageout.errors import AddressError
from manageout.wire import address
from tests.vectors import names, note, vector

FIRST = IPv4Address("10.0.0.1")


def v4(text: str) -> bytes:
    return IPv4Address(text).packed


# --- ISATAP ---------------------------------------------------------------------------------------------


def test_isatap_vectors() -> None:
    assert address.isatap_link_local(v4("10.0.0.1")) == vector("ISATAP_LL_private")
    assert address.isatap_link_local(v4("203.0.113.5")) == vector("ISATAP_LL_global")
    prefix = vector("ISATAP_GUA_private")[:8]
    assert prefix + address.isatap_interface_id(IPv4Address("10.0.0.5")).to_bytes(8, "big") == vector(
        "ISATAP_GUA_private"
    )
    for name in names("ISATAP_LL"):
        assert str(IPv6Address(vector(name))) == note(name)


@pytest.mark.parametrize(
    ("text", "linux", "rfc"),
    [
        ("8.8.8.8", 1, 1),
        ("10.255.255.255", 0, 0),
        ("172.15.255.255", 1, 1),
        ("172.16.0.0", 0, 0),
        ("172.31.255.255", 0, 0),
        ("172.32.0.0", 1, 1),
        ("192.168.0.1", 0, 0),
        ("169.254.1.1", 0, 0),
        ("127.0.0.1", 0, 0),
        ("0.0.0.1", 0, 0),
        ("192.0.2.1", 0, 0),
        ("192.88.99.1", 0, 1),
        ("198.18.0.1", 0, 0),
        ("198.19.255.255", 0, 0),
        ("198.20.0.0", 1, 1),
        ("224.0.0.1", 0, 0),
        ("255.255.255.255", 0, 0),
        ("203.0.113.5", 1, 0),  # documentation: the RFC's rule would say not unique
        ("100.64.0.1", 1, 0),  # carrier-grade NAT
        ("240.0.0.1", 1, 0),
    ],
)
def test_the_u_bit(text: str, linux: int, rfc: int) -> None:
    host = IPv4Address(text)
    base = 0x00005EFE_00000000 | int(host)
    assert address.isatap_interface_id(host) == base | linux << 57
    assert address.isatap_interface_id_rfc(host) == base | rfc << 57


def test_linux_refuses_zero() -> None:
    with pytest.raises(AddressError, match=r"0\.0\.0\.0 has no ISATAP address"):
        address.isatap_interface_id(IPv4Address(0))


@pytest.mark.parametrize(
    ("text", "embedded"),
    [
        ("fe80::5efe:10.0.0.1", "10.0.0.1"),
        ("fe80::200:5efe:10.0.0.1", "10.0.0.1"),
        ("fd12:3456:789a:1::5efe:10.0.0.5", "10.0.0.5"),
        ("fe80::100:5efe:10.0.0.1", None),  # g
        ("fe80::300:5efe:10.0.0.1", None),
        ("fe80::400:5efe:10.0.0.1", None),
        ("fe80::1:5efe:10.0.0.1", None),
        ("fe80::5eff:10.0.0.1", None),
        ("fe80::5fef:10.0.0.1", None),
        ("fe80::10.0.0.1", None),
    ],
)
def test_embedded_isatap(text: str, embedded: str | None) -> None:
    assert address.embedded_isatap(IPv6Address(text).packed) == (v4(embedded) if embedded else None)


# --- 6to4 -----------------------------------------------------------------------------------------------


def test_sixtofour() -> None:
    prefix = address.sixtofour_prefix(IPv4Address("192.0.2.4"))
    assert prefix.network_address.packed == vector("6TO4_prefix") and prefix.prefixlen == 48
    assert address.embedded_sixtofour(prefix[1].packed) == v4("192.0.2.4")
    assert address.embedded_sixtofour(IPv6Address("2003::").packed) is None


# --- Teredo ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "server", "flags", "port", "client"),
    [
        ("TEREDO_addr_cone", "65.54.227.120", 0x8000, 40000, "192.0.2.45"),
        ("TEREDO_addr_restricted", "198.51.100.1", 0, 3545, "203.0.113.77"),
    ],
)
def test_teredo_vectors(name: str, server: str, flags: int, port: int, client: str) -> None:
    wanted = address.TeredoAddress(IPv4Address(server), flags, port, IPv4Address(client))
    assert wanted.address().packed == vector(name)
    assert address.TeredoAddress.parse(wanted.address()) == wanted
    assert wanted.address().teredo == (wanted.server, wanted.client)  # the standard library agrees
    assert wanted.cone == bool(flags)


def test_the_link_local_identifier_of_the_server() -> None:
    """The source of the advertisement in the vector."""
    server = address.TeredoAddress(
        IPv4Address(0), address.CONE, address.TEREDO_PORT, IPv4Address("198.51.100.1")
    )
    source = vector("TEREDO_RA_udp_payload")[21 + 8 : 21 + 24]
    assert source[8:] == server.identifier().to_bytes(8, "big")


def test_no_teredo_elsewhere() -> None:
    assert address.TeredoAddress.parse(IPv6Address("2001:1::")) is None


# --- RFC 6052 -------------------------------------------------------------------------------------------

EMBEDDED = IPv4Address("192.0.2.33")
CASES = [
    *((name, EMBEDDED) for name in names("6052_")),
    *((name, IPv4Address("192.0.0.170")) for name in names("DNS64_wka_") if name != "DNS64_wka_ff9b"),
]


@pytest.mark.parametrize(("name", "embedded"), CASES)
def test_rfc_6052_vectors(name: str, embedded: IPv4Address) -> None:
    wanted = IPv6Address(vector(name))
    length = int(name.rpartition("_")[2])
    prefix = IPv6Network((wanted, length), strict=False)
    assert address.rfc6052_embed(prefix, embedded) == wanted
    assert address.rfc6052_extract(prefix, wanted) == embedded


def test_there_is_a_vector_for_each_length() -> None:
    assert {name.rpartition("_")[2] for name, _ in CASES} == {"32", "40", "48", "56", "64", "96"}


def test_suffix_and_u_octet_are_skipped() -> None:
    prefix = IPv6Network("2001:db8::/32")
    assert address.rfc6052_extract(prefix, IPv6Address("2001:db8:c000:221:ffff:ffff:ffff:ffff")) == EMBEDDED
    assert address.rfc6052_extract(prefix, IPv6Address("2001:db9:c000:221::")) is None


def test_impossible_prefixes() -> None:
    for text, why in (
        ("fd00::/50", "/50 is not an RFC 6052 length"),
        ("fd00::ff00:0:0:0/96", "must be zero"),
    ):
        prefix = IPv6Network(text)
        with pytest.raises(AddressError, match=why):
            address.rfc6052_embed(prefix, FIRST)
        with pytest.raises(AddressError, match=why):
            address.rfc6052_extract(prefix, prefix[1])


# --- Explaining -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "lines"),
    [
        ("fe80::5efe:10.0.0.1", "ISATAP (RFC 5214), link-local", {"IPv4": "10.0.0.1", "prefix": "fe80::/64"}),
        (
            "fd12:3456:789a:1:200:5efe:203.0.113.5",
            "ISATAP (RFC 5214), unique local",
            {"u bit": "1 (globally unique IPv4)"},
        ),
        (
            "2002:102:304:1:200:5efe:10.0.0.1",
            "ISATAP (RFC 5214), global",
            {
                "prefix comes from": "6to4 of 1.2.3.4",
                "note": "Linux would form it with the other u bit; both are accepted",
            },
        ),
        ("2002:102:304::1", "6to4 (RFC 3056)", {"IPv4": "1.2.3.4", "prefix": "2002:102:304::/48"}),
        (
            "2002:a00:1::1",
            "6to4 (RFC 3056)",
            {"note": "RFC 3964 5.3: a 6to4 address of a non-global IPv4 address must be dropped"},
        ),
        (
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "Teredo (RFC 4380)",
            {
                "server": "65.54.227.120",
                "flags": "0x8000 (cone)",
                "mapped port": "40000",
                "mapped IPv4": "192.0.2.45",
            },
        ),
        ("64:ff9b::8.8.8.8", "NAT64 (RFC 6052)", {"IPv4": "8.8.8.8", "prefix": "64:ff9b::/96"}),
        (
            "64:ff9b::10.0.0.1",
            "NAT64 (RFC 6052)",
            {"note": "RFC 6052 3.1: not global, so translators must drop it in this prefix"},
        ),
        ("::ffff:10.0.0.1", "IPv4-mapped (RFC 4291 2.5.5.2)", {"IPv4": "10.0.0.1"}),
        ("fd00::1", "unique local IPv6", {"embedded IPv4": "none"}),
        ("ff02::1", "multicast IPv6", {}),
        ("::1", "loopback IPv6", {}),
        ("::", "unspecified IPv6", {}),
        ("fe80::1", "link-local IPv6", {}),
        ("2606:4700::1", "global IPv6", {}),
        (
            "10.0.0.1",
            "private IPv4",
            {"ISATAP link-local": "fe80::5efe:a00:1", "6to4 prefix": "2002:a00:1::/48"},
        ),
        ("8.8.8.8", "global IPv4", {"NAT64 address": "64:ff9b::808:808"}),
        ("0.0.0.0", "unspecified IPv4", {}),
    ],
)
def test_explain(text: str, kind: str, lines: dict[str, str]) -> None:
    said = address.explain(ip_address(text))
    assert said[0] == ("kind", kind)
    assert lines.items() <= dict(said).items()


@pytest.mark.parametrize(
    "text",
    [
        "::ffff:10.0.0.1",
        "::ffff:0.0.0.0",
        "::ffff:0:0/96",
        "::ffff:10.0.0.0/104",
        "::fffe:a00:1",
        "::a00:1",
        "::/80",
        "64:ff9b::a00:1",
        "fd12::/48",
        "10.0.0.1",
        "10.0.0.0/8",
    ],
)
def test_written_alike_by_every_python(text: str) -> None:
    assert address.written(ip_network(text) if "/" in text else ip_address(text)) == text


def test_explain_with_a_prefix_of_the_site() -> None:
    prefix = IPv6Network("fd12:3456:789a:7777::/96")
    said = address.explain(IPv6Address("fd12:3456:789a:7777::10.0.0.20"), (prefix,))
    assert dict(said)["IPv4"] == "10.0.0.20"


@pytest.mark.parametrize("text", ["10.0.8.0/23", "192.0.2.7/32", "2001:db8:0:8000::/49", "::/0"])
def test_bounds(text: str) -> None:
    network = ip_network(text)
    assert address.bounds(network) == (network[0].packed, network[-1].packed)


def test_an_address_is_no_name() -> None:
    assert all(map(address.is_address, ("10.0.0.1", "::1", "fe80::1%12")))
    assert not any(map(address.is_address, ("laptop", "", "10.0.0", "10.0.0.0/8")))
