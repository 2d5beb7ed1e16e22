"""RFC 7915 5: IPv6 to IPv4, clause by clause; and turning round (RFC 7757)."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

import pytest

from manageout.protocol.core.drops import Drop, Verdict
from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.rules import Translator
from manageout.wire import icmpv4, icmpv6, ipv4, ipv6
from tests.tools.packets import udp
from tests.unit.protocol.translate.test_rules import OWN4, OWN6, datagram6, error6, made, passed, refused
from tests.unit.protocol.translate.test_whole import CLIENT, LEASE, SERVER, SERVER4, v4, v6
from tests.vectors import vector

BODY = datagram6()[40:]


def fragment(offset: int, more: bool, ident: int, following: int = 17) -> bytes:
    """A Fragment header; ``offset`` in units of 8 bytes."""
    return bytes((following, 0)) + (offset << 3 | more).to_bytes(2, "big") + ident.to_bytes(4, "big")


def extended(first: int, headers: bytes, body: bytes = BODY) -> bytes:
    return ipv6.build(CLIENT, SERVER, first, headers + body)


def test_rfc7915_5_1_header_fields() -> None:
    header, body = ipv4.parse(passed(made().to_ipv4(datagram6(traffic_class=0xB8, hop_limit=9), 77, 0)))
    assert (header.tos, header.ident, header.flags, header.ttl, header.protocol) == (0xB8, 77, 0, 8, 17)
    assert (header.src, header.dst) == (LEASE, SERVER4)
    assert udp.parse(header.src, header.dst, body)


@pytest.mark.parametrize(("size", "df"), [(1260, False), (1261, True)])
def test_rfc7915_5_1_df_without_a_fragment_header(size: int, df: bool) -> None:
    assert ipv4.parse(passed(made().to_ipv4(datagram6(size - 28), 7, 0)))[0].dont_fragment is df


@pytest.mark.parametrize("kind", [0, 43, 60])
def test_rfc7915_5_1_extension_headers_are_skipped(kind: int) -> None:
    header, body = ipv4.parse(passed(made().to_ipv4(extended(kind, bytes((17, 0, 1, 0, 0, 0, 0, 0))), 7, 0)))
    assert (header.protocol, header.total_length, len(body)) == (17, 33, 13)


def test_rfc7915_5_1_a_chain_of_extension_headers_is_skipped() -> None:
    headers = (
        bytes((60, 0, 1, 4, 0, 0, 0, 0)) + bytes((43, 0, 1, 4, 0, 0, 0, 0)) + bytes((17, 0, 0, 0, 0, 0, 0, 0))
    )
    assert passed(made().to_ipv4(extended(0, headers), 7, 0)) == passed(made().to_ipv4(datagram6(), 7, 0))


@pytest.mark.parametrize("place", [0, 8])
def test_rfc7915_5_1_pointer_at_segments_left(place: int) -> None:
    headers = bytes((43, 0, 1, 4, 0, 0, 0, 0))[:place] + bytes((17, 0, 0, 2, 0, 0, 0, 0))
    answer = error6(refused(made().to_ipv4(extended(0 if place else 43, headers), 7, 0), Drop.ROUTING_HEADER))
    assert (answer.type, answer.code, answer.body[:4]) == (4, 0, (40 + place + 3).to_bytes(4, "big"))


@pytest.mark.parametrize("hops", [0, 1])
def test_rfc7915_5_1_hop_limit_expires(hops: int) -> None:
    answer = error6(refused(made().to_ipv4(datagram6(hop_limit=hops), 7, 0), Drop.HOP_LIMIT))
    assert (answer.type, answer.code) == (3, 0)


@pytest.mark.parametrize("source", ["::", "::1", "ff02::1", "fe80::1", "::ffff:10.0.0.1"])
def test_rfc7915_5_1_illegal_source_is_dropped_silently(source: str) -> None:
    assert (
        refused(made().to_ipv4(ipv6.build(v6(source), SERVER, 17, BODY), 7, 0), Drop.SOURCE_ILLEGAL) is None
    )


@pytest.mark.parametrize(("offset", "more"), [(0, True), (100, True), (100, False)])
def test_rfc7915_5_1_1_fragment_header(offset: int, more: bool) -> None:
    body = bytes(64) if offset else BODY + bytes(51)
    packet = passed(made().to_ipv4(extended(44, fragment(offset, more, 0xABCD1234), body), 7, 0))
    header, _ = ipv4.parse(packet)
    assert (header.ident, header.fragment_offset, header.flags) == (0x1234, offset, int(more))


def test_rfc7915_5_1_1_atomic_fragment_has_no_df() -> None:
    body = udp.build(CLIENT, SERVER, 1, 2, bytes(1400))
    header, _ = ipv4.parse(passed(made().to_ipv4(extended(44, fragment(0, False, 5), body), 7, 0)))
    assert (header.ident, header.flags, header.fragment_offset) == (5, 0, 0)


@pytest.mark.parametrize("following", [0, 43, 51, 60, 135])
def test_rfc7915_5_1_1_extension_header_behind_the_fragment_header(following: int) -> None:
    header = bytes((17, 0, 0, 0, 0, 0, 0, 0))
    packet = extended(44, fragment(0, True, 5, following), header * (following != 0) + bytes(64))
    sent = refused(made().to_ipv4(packet, 7, 0), Drop.FRAGMENT_CHAIN)
    assert (sent and (sent[40], sent[41])) == (None if following == 0 else (1, 1)), "RFC 7915 5.4"
    echo = extended(
        44, fragment(0, True, 5, following), bytes((58,)) + header[1:] + bytes((128,)) + bytes(63)
    )
    assert refused(made().to_ipv4(echo, 7, 0), Drop.FRAGMENT_CHAIN) is None


@pytest.mark.parametrize("protocol", [1, 2])
def test_rfc7915_5_4_what_is_dropped_is_told(protocol: int) -> None:
    for packet in (extended(protocol, b""), extended(60, bytes((protocol, 0, 1, 4, 0, 0, 0, 0)))):
        answer = error6(refused(made().to_ipv4(packet, 7, 0), Drop.PROTOCOL_FORBIDDEN))
        assert (answer.type, answer.code, answer.body[4:]) == (1, 1, packet)


def test_rfc7915_5_1_1_esp_behind_the_fragment_header_passes() -> None:
    assert passed(made().to_ipv4(extended(44, fragment(0, True, 5, 50), bytes(64)), 7, 0))[9] == 50


def test_rfc7915_5_small_packets_are_fragmented_for_a_small_ipv4_mtu() -> None:
    results = made(mtu4=600).to_ipv4(datagram6(1000), 0x4321, 0)
    headers = [ipv4.parse(result.packet) for result in results]
    assert [(header.ident, header.flags, header.fragment_offset) for header, _ in headers] == [
        (0x4321, 1, 0),
        (0x4321, 0, 72),
    ]
    assert udp.parse(LEASE, SERVER4, b"".join(body for _, body in headers))


def test_rfc7915_5_large_packets_are_too_big_for_a_small_ipv4_mtu() -> None:
    answer = error6(refused(made(mtu4=1400).to_ipv4(datagram6(1400), 7, 0), Drop.TOO_BIG))
    assert (answer.type, int.from_bytes(answer.body[:4], "big")) == (2, 1420)


def test_what_no_ipv4_packet_can_hold_is_too_big() -> None:
    packet = ipv6.build(CLIENT, SERVER, 17, udp.build(CLIENT, SERVER, 1, 2, bytes(65527)))
    maker = made(mtu4=65535)
    assert maker.fast(packet, 7).verdict is Verdict.SLOW
    answer = error6(refused(maker.to_ipv4(packet, 7, 0), Drop.TOO_BIG))
    assert int.from_bytes(answer.body[:4], "big") == 65555


@pytest.mark.parametrize(("size", "fits"), [(3, True), (4, False), (1400, False)])
def test_what_no_ipv4_datagram_can_hold_does_not_wrap_round(size: int, fits: bool) -> None:
    """8189 * 8 + 3 + 20 is 65535; beyond, the offset would wrap round when it is cut up again."""
    packet = extended(44, fragment(8189, False, 5, 50), bytes(size))
    if fits:
        assert passed(made().to_ipv4(packet, 7, 0))[6:8] == (8189).to_bytes(2, "big")
        return
    answer = error6(refused(made(mtu4=1300).to_ipv4(packet, 7, 0), Drop.TOO_BIG))
    assert (answer.type, answer.code) == (1, 1), "no smaller fragment would help"


def test_fragmented_echo_is_put_together_and_taken_apart() -> None:
    message = icmpv6.build(CLIENT, SERVER, 128, 0, bytes(range(256)) * 10)
    maker = made()
    pieces = [message[:1232], message[1232:2464], message[2464:]]
    packets = [extended(44, fragment(154 * at, at < 2, 9, 58), piece) for at, piece in enumerate(pieces)]
    assert maker.to_ipv4(packets[2], 7, 0) == [] == maker.to_ipv4(packets[0], 7, 0)
    out = [ipv4.parse(result.packet) for result in maker.to_ipv4(packets[1], 7, 0)]
    assert [header.flags for header, _ in out] == [1, 0] and {header.ident for header, _ in out} == {9}
    assert icmpv4.parse(b"".join(body for _, body in out)).type == 8
    back = [
        ipv4.build(
            SERVER4,
            LEASE,
            1,
            body,
            ident=9,
            more_fragments=bool(header.flags),
            fragment_offset=header.fragment_offset,
        )
        for header, body in out
    ]
    assert maker.to_ipv6(back[1], 0) == []
    again = b"".join(result.packet[48:] for result in maker.to_ipv6(back[0], 0))
    assert icmpv6.parse(CLIENT, SERVER, again).body == bytes(range(256)) * 10


def test_incomplete_fragments_are_given_up() -> None:
    maker = made()
    assert maker.timer() is None
    assert maker.to_ipv4(extended(44, fragment(0, True, 9, 58), bytes(64)), 7, 10.0) == []
    assert maker.timer() == 14.0 and maker.on_timer(13.9) == []
    refused(maker.on_timer(14.0), Drop.FRAGMENT_INCOMPLETE)


def test_rfc6146_3_5_source_inside_the_prefix_is_dropped_silently() -> None:
    packet = ipv6.build(v6("64:ff9b::10.9.9.9"), SERVER, 17, BODY)
    assert refused(made().to_ipv4(packet, 7, 0), Drop.SOURCE_IN_PREF64) is None


@pytest.mark.parametrize(
    ("destination", "reason", "answer"),
    [
        ("2001:db8::1", Drop.NOT_TRANSLATED, (1, 0)),
        ("ff02::1", Drop.DESTINATION_ILLEGAL, None),
        ("fe80::1", Drop.DESTINATION_ILLEGAL, None),
        ("64:ff9b::127.0.0.1", Drop.DESTINATION_ILLEGAL, None),
        ("64:ff9b::224.0.0.1", Drop.DESTINATION_ILLEGAL, None),
        ("64:ff9b::198.51.100.99", Drop.UNKNOWN_LEASE, (1, 3)),
    ],
)
def test_destinations(destination: str, reason: Drop, answer: tuple[int, int] | None) -> None:
    sent = refused(made().to_ipv4(ipv6.build(CLIENT, v6(destination), 17, BODY), 7, 0), reason)
    assert (sent and (sent[40], sent[41])) == answer


@pytest.mark.parametrize("size", [32, 40, 48, 56, 64, 96])
def test_rfc6052_2_2_every_prefix_length_both_ways(size: int) -> None:
    prefix = IPv6Network((vector("6052_2001:db8:122:344::_96"), size), strict=False)
    maps = Mappings(prefix, own4=OWN4, own6=OWN6)
    maps.set_lease(CLIENT, LEASE)
    maker = Translator(maps, random=lambda: 0.0)
    target = maps.embed(SERVER4)
    body = udp.build(CLIENT, target, 1, 2, b"data")
    header, body4 = ipv4.parse(passed(maker.to_ipv4(ipv6.build(CLIENT, target, 17, body), 7, 0)))
    assert (header.src, header.dst) == (LEASE, SERVER4)
    back = passed(maker.to_ipv6(ipv4.build(SERVER4, LEASE, 17, body4), 0))
    assert (back[8:24], back[24:40], back[40:]) == (target, CLIENT, body)


# --- RFC 7757: the appendix's network, and clients that call each other ------------------------------------

A, B = v6("2001:db8:aaaa::"), v6("2001:db8:bbbb::b")
A4, B4 = v6("64:ff9b::192.0.2.1"), v6("64:ff9b::192.0.2.2")


def pair(leases: bool) -> Translator:
    """Two servers with explicit mappings, or two clients with leases."""
    eam = [("192.0.2.1/32", "2001:db8:aaaa::/128"), ("192.0.2.2/32", "2001:db8:bbbb::b/128")]
    maps = Mappings(
        IPv6Network("64:ff9b::/96"),
        own4=v4("198.51.100.1"),
        own6=OWN6,
        pool=IPv4Network("192.0.2.0/24") if leases else None,
        eam=[] if leases else [(IPv4Network(short), IPv6Network(long)) for short, long in eam],
        strict=False,
    )
    if leases:
        maps.set_lease(A, v4("192.0.2.1"))
        maps.set_lease(B, v4("192.0.2.2"))
    return Translator(maps, random=lambda: 0.0, name_routers=False, mtu6=1280)


@pytest.mark.parametrize("leases", [True, False])
def test_rfc7757_4_2_2_hairpin(leases: bool) -> None:
    packet = ipv6.build(A, B4, 17, udp.build(A, B4, 1, 2, b"hello"), hop_limit=9)
    header, body = ipv6.parse(passed(pair(leases).to_ipv4(packet, 7, 0)))
    assert (header.src, header.dst, header.hop_limit) == (A4, B, 8), "the hop limit is lowered once"
    assert udp.parse(header.src, header.dst, body)[1] == b"hello"


@pytest.mark.parametrize(("router", "outer"), [("2001:db8::1234", "64:ff9b::198.51.100.1"), (B, B4)])
@pytest.mark.parametrize("leases", [True, False])
def test_rfc7757_4_2_1_hairpin_of_errors(router: str | bytes, outer: str | bytes, leases: bool) -> None:
    """From a router on the way, and from the host itself."""
    source = router if isinstance(router, bytes) else v6(router)
    quoted = ipv6.build(A4, B, 17, udp.build(A4, B, 1, 2, b"hello"))
    message = icmpv6.build(source, A4, 1, 0, bytes(4) + quoted)
    header, body = ipv6.parse(passed(pair(leases).to_ipv4(ipv6.build(source, A4, 58, message), 7, 0)))
    assert (header.src, header.dst) == (outer if isinstance(outer, bytes) else v6(outer), A)
    inner = ipv6.parse(icmpv6.parse(header.src, header.dst, body).body[4:])[0]
    assert (inner.src, inner.dst) == (A, B4)


@pytest.mark.parametrize("leases", [True, False])
def test_hairpin_too_big_is_reported_in_ipv6(leases: bool) -> None:
    packet = ipv6.build(A, B4, 17, udp.build(A, B4, 1, 2, bytes(1400)))
    answer = refused(pair(leases).to_ipv4(packet, 7, 0), Drop.TOO_BIG)
    assert answer is not None
    header, body = ipv6.parse(answer)
    assert header.dst == A
    message = icmpv6.parse(header.src, header.dst, body)
    assert (message.type, int.from_bytes(message.body[:4], "big")) == (2, 1280)
    inner = ipv6.parse_header(message.body[4:])
    assert (inner.src, inner.dst) == (A, B4)


def test_rfc7757_3_3_explicit_mapping_before_the_prefix() -> None:
    maker = pair(False)
    outside = v6("64:ff9b::203.0.113.9")
    there = passed(maker.to_ipv4(ipv6.build(A, outside, 17, udp.build(A, outside, 1, 2, b"x")), 7, 0))
    assert there[12:20] == v4("192.0.2.1") + v4("203.0.113.9")
    back = passed(maker.to_ipv6(ipv4.build(v4("203.0.113.9"), v4("192.0.2.2"), 17, there[20:]), 0))
    assert back[8:40] == outside + B


def test_errors_are_rate_limited() -> None:
    maker = made(errors_per_second=2.0)
    packet = datagram6(hop_limit=1)
    sent = [maker.to_ipv4(packet, 7, 100.0)[0].error is not None for _ in range(4)]
    assert sent == [True, True, False, False]
    assert maker.to_ipv4(packet, 7, 101.0)[0].error is not None


def test_vectors_round_trip_udp() -> None:
    assert passed(made().to_ipv4(vector("SIIT_udp_v6"), 0x1234, 0)) == vector("SIIT_udp_v4")
