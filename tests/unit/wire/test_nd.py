"""Neighbour Discovery: the vectors, and every rule that discards a message."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from manageout.errors import WireError
from manageout.wire import icmpv6, ipv6, nd, numbers
from tests.vectors import names, vector


def v6(text: str) -> bytes:
    return IPv6Address(text).packed


HOST, ROUTER = v6("fe80::5efe:10.0.0.5"), v6("fe80::5efe:10.0.0.1")
GLOBAL = v6("2001:db8:ff:0:1234:5678:9abc:def0")
SLLA = nd.LinkLayer(1, bytes(6))
RA = nd.RouterAdvertisement(
    hop_limit=64,
    preference=nd.Preference.HIGH,
    router_lifetime=1800,
    options=(
        nd.Mtu(1280),
        nd.PrefixInformation(v6("2001:db8:1:1::"), 64, True, True, 86400, 14400),
        nd.RouteInformation(v6("2001:db8:f::"), 48, nd.Preference.HIGH, 3600),
    ),
)


@pytest.mark.parametrize(
    ("name", "dst", "src", "message"),
    [
        ("ND_RS_unicast_isatap", ROUTER, HOST, nd.RouterSolicitation()),
        ("ND_RS_allrouters", nd.ALL_ROUTERS, HOST, nd.RouterSolicitation()),
        ("IPHTTPS_DAD_NS", nd.solicited_node(GLOBAL), nd.UNSPECIFIED, nd.NeighbourSolicitation(GLOBAL)),
        ("IPHTTPS_proxy_NA", nd.ALL_NODES, GLOBAL, nd.NeighbourAdvertisement(GLOBAL)),
        ("IPHTTPS_proxy_NA_O1", nd.ALL_NODES, GLOBAL, nd.NeighbourAdvertisement(GLOBAL, override=True)),
    ],
)
def test_vectors(name: str, dst: bytes, src: bytes, message: nd.Message) -> None:
    header, read = nd.parse(vector(name))
    assert (header.src, header.dst, read) == (src, dst, message)
    assert nd.build(src, dst, message) == vector(name)


def test_the_advertisement_vector() -> None:
    header, message = nd.parse(vector("ND_RA_unicast_isatap"))
    assert (header.src, header.dst, message) == (ROUTER, HOST, RA)
    # Ours says the same in 8 bytes less: its route option has the short form.
    ours = nd.build(ROUTER, HOST, RA)
    assert len(ours) == len(vector("ND_RA_unicast_isatap")) - 8
    assert nd.parse(ours)[1] == RA


@pytest.mark.parametrize("name", [*names("ND_"), "IPHTTPS_RA_multicast"])
def test_the_type_is_seen_at_a_glance(name: str) -> None:
    assert nd.message_type(vector(name)) == vector(name)[40]


def test_what_is_no_neighbour_discovery() -> None:
    rest = vector("ND_RS_allrouters")[40:]
    later = bytes.fromhex("3a00000800000001")
    for packet in (
        vector("SIIT_echo_v6"),
        vector("SIIT_udp_v6"),
        vector("ND_RS_allrouters")[:40],
        vector("IPHTTPS_bad_version"),
        ipv6.build(HOST, ROUTER, numbers.FRAGMENT, later + rest),
        b"",
    ):
        assert nd.message_type(packet) is None


def test_the_multicast_advertisement_vector() -> None:
    header, message = nd.parse(vector("IPHTTPS_RA_multicast"))
    assert header.dst == nd.ALL_NODES and isinstance(message, nd.RouterAdvertisement)
    assert message.router_lifetime == 0 and len(message.options) == 3


def test_flags() -> None:
    na = nd.NeighbourAdvertisement(GLOBAL, router=True, solicited=True, override=True)
    assert nd.build(GLOBAL, HOST, na)[44] == 0xE0
    assert nd.parse(nd.build(GLOBAL, HOST, na))[1] == na
    ra = nd.RouterAdvertisement(managed=True, other=True, reachable_ms=30000, retrans_ms=1000)
    assert nd.parse(nd.build(ROUTER, HOST, ra))[1] == ra


def advertisement(flags: int, lifetime: int) -> bytes:
    body = bytes((64, flags)) + lifetime.to_bytes(2, "big") + bytes(8)
    segment = icmpv6.build(ROUTER, HOST, icmpv6.ROUTER_ADVERTISEMENT, 0, body)
    return ipv6.build(ROUTER, HOST, numbers.ICMPV6, segment, hop_limit=255)


@pytest.mark.parametrize(
    ("flags", "lifetime", "preference"),
    [
        (0x08, 1800, nd.Preference.HIGH),
        (0x18, 1800, nd.Preference.LOW),
        (0x00, 1800, nd.Preference.MEDIUM),
        (0x10, 1800, nd.Preference.MEDIUM),  # reserved
        (0x08, 0, nd.Preference.MEDIUM),  # not a default router
        (0x27, 1800, nd.Preference.MEDIUM),  # other bits
    ],
)
def test_router_preference(flags: int, lifetime: int, preference: nd.Preference) -> None:
    """RFC 4191 2.2."""
    message = nd.parse(advertisement(flags, lifetime))[1]
    assert isinstance(message, nd.RouterAdvertisement) and message.preference == preference


def test_a_router_without_a_lifetime_writes_no_preference() -> None:
    message = nd.RouterAdvertisement(preference=nd.Preference.HIGH)
    assert nd.build(ROUTER, HOST, message) == nd.build(ROUTER, HOST, nd.RouterAdvertisement())


def test_solicited_node() -> None:
    assert nd.solicited_node(GLOBAL) == v6("ff02::1:ffbc:def0")


# --- Rules ----------------------------------------------------------------------------------------------


def raw(
    kind: int, body: bytes, *, src: bytes = HOST, dst: bytes = ROUTER, code: int = 0, hop_limit: int = 255
) -> bytes:
    segment = icmpv6.build(src, dst, kind, code, body)
    return ipv6.build(src, dst, numbers.ICMPV6, segment, hop_limit=hop_limit)


RS, NS, NA = bytes(4), bytes(4) + GLOBAL, b"\x60\0\0\0" + GLOBAL
SLLA_RAW, ZERO_OPTION = bytes.fromhex("0101000000000000"), bytes.fromhex("fd00000000000000")
MULTICAST_TARGET = bytes(4) + nd.ALL_NODES


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (raw(133, RS, hop_limit=254), "hop limit is 254"),
        (raw(133, RS, code=1), "code is 1"),
        (raw(133, RS)[:-1] + b"\1", "wrong ICMPv6 checksum"),
        (raw(133, RS[:-1]), "truncated router solicitation: 7 bytes"),
        (raw(134, bytes(11)), "truncated router advertisement: 15 bytes"),
        (raw(135, NS[:-1]), "truncated neighbour solicitation: 23 bytes"),
        (raw(136, NA[:-1]), "truncated neighbour advertisement: 23 bytes"),
        *(
            (raw(kind, body + ZERO_OPTION), "has length 0")
            for kind, body in ((133, RS), (135, NS), (136, NA))
        ),
        (raw(134, bytes(12) + ZERO_OPTION), "has length 0"),
        (raw(133, RS + SLLA_RAW, src=nd.UNSPECIFIED), "router solicitation from :: has a source link-layer"),
        (raw(134, bytes(12), src=GLOBAL), "source is not link-local"),
        (raw(134, bytes(12), src=v6("fec0::1")), "source is not link-local"),
        (raw(135, MULTICAST_TARGET), "neighbour solicitation target is multicast"),
        (raw(135, NS, src=nd.UNSPECIFIED), "from :: not to a solicited-node address"),
        (
            raw(135, NS + SLLA_RAW, src=nd.UNSPECIFIED, dst=nd.solicited_node(GLOBAL)),
            "neighbour solicitation from :: has a source link-layer",
        ),
        (raw(136, MULTICAST_TARGET), "neighbour advertisement target is multicast"),
        (raw(136, NA, dst=nd.ALL_NODES), "to multicast is marked as solicited"),
        (raw(133, RS, src=nd.ALL_NODES), "source is multicast"),
        (raw(137, bytes(36)), "type 137 is not an ND message we read"),
        (raw(128, bytes(4)), "type 128 is not an ND message we read"),
        (ipv6.build(HOST, ROUTER, 17, bytes(8), hop_limit=255), "not ICMPv6"),
        (raw(133, RS)[:-1], "truncated IPv6 packet"),
    ],
)
def test_discards(packet: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        nd.parse(packet)


def test_fragments_are_discarded() -> None:
    """RFC 6980 5, even when the one fragment is the whole message."""
    segment = icmpv6.build(HOST, ROUTER, 133, 0, RS)
    atomic = bytes.fromhex("3a00000000000001")
    with pytest.raises(WireError, match="ND in a fragment"):
        nd.parse(ipv6.build(HOST, ROUTER, numbers.FRAGMENT, atomic + segment, hop_limit=255))


def test_other_extension_headers_are_passed() -> None:
    segment = icmpv6.build(HOST, ROUTER, 133, 0, RS)
    options = bytes.fromhex("3a00010400000000")
    packet = ipv6.build(HOST, ROUTER, numbers.DESTINATION_OPTIONS, options + segment, hop_limit=255)
    assert nd.parse(packet)[1] == nd.RouterSolicitation()
    assert nd.message_type(packet) == 133


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (raw(133, b"\xff" * 4), nd.RouterSolicitation()),  # reserved field
        (raw(133, RS, src=nd.UNSPECIFIED), nd.RouterSolicitation()),
        (raw(133, RS + SLLA_RAW), nd.RouterSolicitation((SLLA,))),
        (raw(135, b"\xff" * 4 + GLOBAL), nd.NeighbourSolicitation(GLOBAL)),
        (raw(135, NS + SLLA_RAW, dst=nd.solicited_node(GLOBAL)), nd.NeighbourSolicitation(GLOBAL, (SLLA,))),
        (raw(136, bytes(4) + GLOBAL, dst=nd.ALL_NODES), nd.NeighbourAdvertisement(GLOBAL)),
        (raw(133, RS) + b"padding", nd.RouterSolicitation()),
    ],
)
def test_keeps_what_is_odd_but_legal(packet: bytes, message: nd.Message) -> None:
    assert nd.parse(packet)[1] == message
