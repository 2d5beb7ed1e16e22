"""The whole translator against vectors that another implementation made, and RFC 7915 4 and 5 clause by clause."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

import pytest

from manageout.protocol.core.drops import Drop, Verdict
from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.rules import Translation, Translator
from manageout.wire import icmpv4, icmpv6, ipv4, ipv6
from tests.tools.packets import tcp, udp
from tests.tools.packets.icmpv4 import echo4
from tests.unit.protocol.translate.test_whole import CLIENT, IDENTS, LEASE, SERVER, SERVER4, v4, v6
from tests.vectors import vector

OWN4, OWN6 = v4("10.0.0.1"), v6("2001:db8:cafe::ffff")
ROUTER4 = v4("203.0.113.1")


def mappings(strict: bool = False) -> Mappings:
    maps = Mappings(
        IPv6Network("64:ff9b::/96"),
        own4=OWN4,
        own6=OWN6,
        pool=IPv4Network("198.51.100.0/25"),
        pool6791=[v4("198.51.100.1")],
        strict=strict,
    )
    maps.set_lease(CLIENT, LEASE)
    return maps


def made(maps: Mappings | None = None, **options: object) -> Translator:
    options = {"random": lambda: 0.5, "name_routers": False, **options}
    return Translator(maps or mappings(), **options)  # type: ignore[arg-type]


def one(results: list[Translation]) -> Translation:
    assert len(results) == 1
    return results[0]


def passed(results: list[Translation]) -> bytes:
    result = one(results)
    assert result.verdict is Verdict.FORWARD and result.error is None, result
    return result.packet


def refused(results: list[Translation], reason: Drop) -> bytes | None:
    result = one(results)
    assert (result.verdict, result.reason, result.packet) == (Verdict.DROP, reason, b"")
    return result.error


def datagram6(size: int = 5, **fields: int) -> bytes:
    return ipv6.build(CLIENT, SERVER, 17, udp.build(CLIENT, SERVER, 40000, 53, bytes(size)), **fields)


def datagram4(size: int = 5, **fields: object) -> bytes:
    body = udp.build(SERVER4, LEASE, 53, 40000, bytes(size))
    return ipv4.build(SERVER4, LEASE, 17, body, **fields)  # type: ignore[arg-type]


def error4(packet: bytes | None) -> icmpv4.Icmpv4:
    assert packet is not None
    header, body = ipv4.parse(packet)
    assert header.src == OWN4
    return icmpv4.parse(body)


def error6(packet: bytes | None) -> icmpv6.Icmpv6:
    assert packet is not None
    header, body = ipv6.parse(packet)
    assert header.src == OWN6
    return icmpv6.parse(header.src, header.dst, body)


# --- Vectors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", IDENTS)
def test_vectors_6_to_4(kind: str) -> None:
    assert passed(made().to_ipv4(vector(f"SIIT_{kind}_v6"), IDENTS[kind], 0)) == vector(f"SIIT_{kind}_v4")


@pytest.mark.parametrize("name", ["frag1", "frag2", "fragneeded_1480", "fragneeded_1200"])
def test_vectors_4_to_6(name: str) -> None:
    assert passed(made().to_ipv6(vector(f"SIIT_{name}_v4"), 0)) == vector(f"SIIT_{name}_v6")


@pytest.mark.parametrize("size", [1400, 1280])
def test_vectors_packet_too_big(size: int) -> None:
    assert passed(made().to_ipv4(vector(f"SIIT_ptb_{size}_v6"), 0x77, 0)) == vector(f"SIIT_ptb_{size}_v4")


def test_rfc7915_4_5_udp_checksum_zero_is_computed() -> None:
    assert passed(made().to_ipv6(vector("SIIT_udp_csum0_v4"), 0)) == vector("SIIT_udp_csum0_v6_if_computed")


def test_rfc7915_4_5_udp_checksum_zero_is_dropped_by_choice() -> None:
    maker = made(compute_udp_zero=False)
    answer = error4(refused(maker.to_ipv6(vector("SIIT_udp_csum0_v4"), 0), Drop.UDP_NO_CHECKSUM))
    assert (answer.type, answer.code) == (3, 13), "RFC 7915 4.4"


def test_rfc7915_5_1_routing_header_with_segments_left() -> None:
    answer = error6(refused(made().to_ipv4(vector("SIIT_rh_segleft1_v6"), 7, 0), Drop.ROUTING_HEADER))
    assert (answer.type, answer.code, int.from_bytes(answer.body[:4], "big")) == (4, 0, 43)


# --- RFC 7915 4: IPv4 to IPv6 -------------------------------------------------------------------------------


def test_rfc7915_4_1_header_fields() -> None:
    header, _ = ipv6.parse(passed(made().to_ipv6(datagram4(tos=0xB8, ttl=9, ident=5), 0)))
    assert header[:5] == (0xB8, 0, 13, 17, 8)
    assert (header.src, header.dst) == (SERVER, CLIENT)


def test_rfc7915_4_1_options_are_ignored() -> None:
    plain, optioned = datagram4(), datagram4(options=b"\x94\x04\0\0")
    assert made().to_ipv6(optioned, 0) == made().to_ipv6(plain, 0)


@pytest.mark.parametrize("kind", [131, 137])
@pytest.mark.parametrize(("pointer", "dropped"), [(4, True), (7, True), (8, False)])
def test_rfc7915_4_1_unexpired_source_route(kind: int, pointer: int, dropped: bool) -> None:
    results = made().to_ipv6(datagram4(options=bytes((1, kind, 7, pointer, 10, 0, 0, 9))), 0)
    if not dropped:
        passed(results)
        return
    answer = error4(refused(results, Drop.SOURCE_ROUTE))
    assert (answer.type, answer.code) == (3, 5)


@pytest.mark.parametrize("source", ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"])
def test_rfc7915_4_1_illegal_source_is_dropped_silently(source: str) -> None:
    packet = ipv4.build(v4(source), LEASE, 17, datagram4()[20:])
    assert refused(made().to_ipv6(packet, 0), Drop.SOURCE_ILLEGAL) is None


def test_rfc7915_4_1_error_from_an_illegal_source_is_translated() -> None:
    quoted = ipv4.build(LEASE, SERVER4, 17, datagram4()[20:])
    packet = ipv4.build(v4("0.0.0.1"), LEASE, 1, icmpv4.time_exceeded(quoted))
    assert ipv6.parse(passed(made().to_ipv6(packet, 0)))[0].src == v6("64:ff9b::0.0.0.1")


def test_rfc3927_7_link_local_addresses_are_not_forwarded() -> None:
    """But an error from a router without another address is, as from any illegal source (RFC 7915 4.1)."""
    outside = v4("169.254.7.7")
    there = ipv6.build(CLIENT, v6("64:ff9b::169.254.7.7"), 17, datagram6()[40:])
    assert refused(made().to_ipv4(there, 7, 0), Drop.DESTINATION_ILLEGAL) is None
    echo = echo4(1, 2, b"data")
    for protocol, body in ((17, datagram4()[20:]), (1, echo)):
        packet = ipv4.build(outside, LEASE, protocol, body)
        assert refused(made().to_ipv6(packet, 0), Drop.SOURCE_ILLEGAL) is None
    quoted = ipv4.build(LEASE, SERVER4, 17, datagram4()[20:])
    passed(made().to_ipv6(ipv4.build(outside, LEASE, 1, icmpv4.time_exceeded(quoted)), 0))


@pytest.mark.parametrize("ttl", [0, 1])
def test_rfc7915_4_1_ttl_expires(ttl: int) -> None:
    answer = error4(refused(made().to_ipv6(datagram4(ttl=ttl), 0), Drop.HOP_LIMIT))
    assert (answer.type, answer.code) == (11, 0)


def test_rfc7915_4_df_and_too_big() -> None:
    answer = error4(refused(made(mtu6=1280).to_ipv6(datagram4(1233, dont_fragment=True), 0), Drop.TOO_BIG))
    assert (answer.type, answer.code, answer.next_hop_mtu) == (3, 4, 1260)
    assert len(passed(made(mtu6=1280).to_ipv6(datagram4(1232, dont_fragment=True), 0))) == 1280


def test_rfc7915_4_no_df_and_larger_than_the_lowest_mtu_is_fragmented() -> None:
    results = made().to_ipv6(datagram4(2000 - 28, ident=0x1234), 0)
    assert [len(result.packet) for result in results] == [1280, 40 + 8 + 1980 - 1232]
    first, second = (ipv6.walk_extensions(result.packet).fragment for result in results)
    assert first == ipv6.Fragment(0, True, 0x1234) and second == ipv6.Fragment(154, False, 0x1234)
    body = b"".join(result.packet[48:] for result in results)
    assert udp.parse(SERVER, CLIENT, body)[1] == bytes(2000 - 28)


def test_rfc7915_4_no_fragment_header_when_it_fits() -> None:
    assert passed(made().to_ipv6(datagram4(1232), 0))[6] == 17


def test_rfc7915_4_lowest_mtu_can_be_raised() -> None:
    assert len(passed(made(lowest_ipv6_mtu=1500).to_ipv6(datagram4(1400), 0))) == 1448


def test_rfc7915_4_a_large_fragment_is_fragmented_again() -> None:
    body = bytes(1400)
    results = made().to_ipv6(
        ipv4.build(SERVER4, LEASE, 6, body, ident=9, more_fragments=True, fragment_offset=10), 0
    )
    found = [ipv6.walk_extensions(result.packet).fragment for result in results]
    assert found == [ipv6.Fragment(10, True, 9), ipv6.Fragment(164, True, 9)]


def test_rfc7915_4_1_fragment_with_df_is_kept_whole_or_too_big() -> None:
    packet = ipv4.build(
        SERVER4, LEASE, 6, bytes(1400), dont_fragment=True, more_fragments=True, fragment_offset=10
    )
    assert len(passed(made().to_ipv6(packet, 0))) == 1448
    assert refused(made(mtu6=1440).to_ipv6(packet, 0), Drop.TOO_BIG) is None, "later fragments cause no error"


def test_rfc7915_4_2_igmp_is_dropped_silently() -> None:
    packet = ipv4.build(SERVER4, LEASE, 2, bytes(8))
    assert refused(made().to_ipv6(packet, 0), Drop.ICMP_UNTRANSLATABLE) is None


@pytest.mark.parametrize("protocol", [33, 50, 51, 132, 253])
def test_rfc7915_4_5_other_transports_pass_unchanged(protocol: int) -> None:
    there = passed(made().to_ipv6(ipv4.build(SERVER4, LEASE, protocol, b"anything"), 0))
    assert (there[6], there[40:]) == (protocol, b"anything")
    back = passed(made().to_ipv4(ipv6.build(CLIENT, SERVER, protocol, b"anything"), 7, 0))
    assert (back[9], back[20:]) == (protocol, b"anything")


def test_rfc7915_4_5_first_fragment_without_a_checksum_is_put_together() -> None:
    body = udp.build(SERVER4, LEASE, 1, 2, bytes(range(200)))
    body = body[:6] + bytes(2) + body[8:]
    maker = made()
    first = ipv4.build(SERVER4, LEASE, 17, body[:160], ident=7, more_fragments=True)
    last = ipv4.build(SERVER4, LEASE, 17, body[160:], ident=7, fragment_offset=20)
    assert maker.to_ipv6(first, 0) == []
    packet = passed(maker.to_ipv6(last, 0.1))
    assert udp.parse(SERVER, CLIENT, packet[40:])[1] == bytes(range(200))
    answer = error4(refused(made(compute_udp_zero=False).to_ipv6(first, 0), Drop.UDP_NO_CHECKSUM))
    assert (answer.type, answer.code) == (3, 13)


@pytest.mark.parametrize(
    ("protocol", "reason", "code"),
    [
        (58, Drop.PROTOCOL_FORBIDDEN, 13),
        (44, Drop.PROTOCOL_FORBIDDEN, 13),
        (2, Drop.ICMP_UNTRANSLATABLE, None),
        (1, Drop.ICMP_UNTRANSLATABLE, None),
    ],
)
def test_rfc7915_4_4_what_is_dropped_is_told(protocol: int, reason: Drop, code: int | None) -> None:
    """But not IGMP and ICMP without a counterpart (4.2), nor about a later fragment (RFC 1812 4.3.2.7)."""
    body = icmpv4.build(icmpv4.Icmpv4(13, 0, 0, bytes(12)))
    packet = ipv4.build(SERVER4, LEASE, protocol, body)
    sent = refused(made().to_ipv6(packet, 0), reason)
    assert (error4(sent).code if sent else None) == code
    later = ipv4.build(SERVER4, LEASE, 58, body, fragment_offset=1)
    assert refused(made().to_ipv6(later, 0), Drop.PROTOCOL_FORBIDDEN) is None


def test_a_fragment_that_ends_beyond_the_largest_packet_does_not_wrap_round() -> None:
    """RFC 791 3.1: 13 bits of offset name more than 16 bits of length can hold."""
    largest = 65535 - 20
    for protocol in (6, 17, 50):
        there = {"ident": 7, "fragment_offset": 8189, "more_fragments": False}
        beyond = ipv4.build(SERVER4, LEASE, protocol, bytes(largest - 8189 * 8 + 1), **there)  # type: ignore[arg-type]
        assert refused(made().to_ipv6(beyond, 0), Drop.MALFORMED) is None
        fits = ipv4.build(SERVER4, LEASE, protocol, bytes(largest - 8189 * 8), **there)  # type: ignore[arg-type]
        assert passed(made().to_ipv6(fits, 0))[42:44] == (8189 << 3).to_bytes(2, "big")
    wide = ipv4.build(SERVER4, LEASE, 50, bytes(1400), ident=7, fragment_offset=8100)
    assert refused(made().to_ipv6(wide, 0), Drop.MALFORMED) is None


def test_a_first_fragment_too_short_for_its_checksum_is_malformed() -> None:
    packet = ipv4.build(SERVER4, LEASE, 6, bytes(16), more_fragments=True)
    refused(made().to_ipv6(packet, 0), Drop.MALFORMED)


@pytest.mark.parametrize("destination", ["198.51.100.11", "10.9.9.9"])
def test_unknown_lease_is_host_unreachable(destination: str) -> None:
    packet = ipv4.build(SERVER4, v4(destination), 17, datagram4()[20:])
    answer = error4(refused(made().to_ipv6(packet, 0), Drop.UNKNOWN_LEASE))
    assert (answer.type, answer.code) == (3, 1)


def test_a_lease_as_source_from_outside_is_spoofed() -> None:
    packet = ipv4.build(v4("198.51.100.11"), LEASE, 17, datagram4()[20:])
    assert refused(made().to_ipv6(packet, 0), Drop.LEASE_SPOOFED) is None


def test_rfc6052_3_1_private_address_under_the_well_known_prefix() -> None:
    maps = mappings(strict=True)
    told = error4(refused(made(maps).to_ipv6(datagram4(), 0), Drop.NOT_GLOBAL))
    assert (told.type, told.code) == (3, 13)
    late = ipv4.build(SERVER4, LEASE, 1, icmpv4.time_exceeded(ipv4.build(LEASE, v4("8.8.8.8"), 17, bytes(8))))
    assert refused(made(maps).to_ipv6(late, 0), Drop.NOT_GLOBAL) is None, "never about an error"
    answer = error6(refused(made(maps).to_ipv4(datagram6(), 7, 0), Drop.NOT_GLOBAL))
    assert (answer.type, answer.code) == (1, 1)
    packet = ipv6.build(CLIENT, v6("64:ff9b::8.8.8.8"), 17, datagram6()[40:])
    assert passed(made(maps).to_ipv4(packet, 7, 0))[16:20] == v4("8.8.8.8")


def test_wrong_checksum_of_the_ipv4_header_is_malformed() -> None:
    packet = datagram4()
    refused(made().to_ipv6(packet[:10] + b"\0\0" + packet[12:], 0), Drop.MALFORMED)


def test_padding_is_cut_off() -> None:
    assert made().to_ipv6(datagram4() + b"pad", 0) == made().to_ipv6(datagram4(), 0)
    assert made().to_ipv4(datagram6() + b"pad", 7, 0) == made().to_ipv4(datagram6(), 7, 0)


@pytest.mark.parametrize("packet", [b"", b"\x45", datagram4()[:-1]])
def test_truncated_ipv4(packet: bytes) -> None:
    refused(made().to_ipv6(packet, 0), Drop.TRUNCATED)


@pytest.mark.parametrize("packet", [b"", b"\x60", datagram6()[:39], datagram6()[:-1]])
def test_truncated_ipv6(packet: bytes) -> None:
    refused(made().to_ipv4(packet, 7, 0), Drop.TRUNCATED)


def test_the_other_version_is_refused() -> None:
    refused(made().to_ipv6(datagram6(), 0), Drop.NOT_IPV6)
    refused(made().to_ipv4(datagram4(), 7, 0), Drop.NOT_IPV6)


def test_tcp_mss_is_left_alone() -> None:
    """RFC 7915 clamps nothing; nftables does."""
    packet = passed(made().to_ipv4(vector("SIIT_tcpsyn_v6"), 7, 0))
    assert tcp.parse(LEASE, SERVER4, packet[20:])
