"""Any packet through the translator: both speeds agree, nothing raises, and scapy judges what comes out."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manageout.protocol.core.drops import Verdict
from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.rules import Translator
from manageout.protocol.translate.whole import HEAD as FRONT
from manageout.protocol.translate.whole import segments
from manageout.wire import icmpv4, icmpv6, ipv4, ipv6, tcp, virtio
from tests.tools.packets import strategies as any_
from tests.tools.packets import udp
from tests.tools.packets.icmpv4 import echo4

CLIENT, OTHER = (
    bytes.fromhex("20010db8cafe00000000000000000001"),
    bytes.fromhex("20010db8cafe00000000000000000002"),
)
LEASE, OTHER4, SERVER4 = bytes((10, 0, 0, 129)), bytes((10, 0, 0, 130)), bytes((10, 0, 0, 20))
PREFIX = IPv6Network("fd12:3456:789a:7777::/96")
HEAD = PREFIX.network_address.packed[:12]


def made(prefix: IPv6Network = PREFIX, **options: Any) -> Translator:
    maps = Mappings(
        prefix,
        own4=bytes((10, 0, 0, 1)),
        own6=bytes.fromhex("fd12") + bytes(14),
        pool=IPv4Network("10.0.0.128/25"),
        **options,
    )
    maps.set_lease(CLIENT, LEASE)
    maps.set_lease(OTHER, OTHER4)
    return Translator(maps, random=lambda: 0.0)


FAST = made()
MAPPED = made(eam=[(IPv4Network("10.1.0.0/24"), IPv6Network("2001:db8:eeee::/120"))])
addresses6 = st.one_of(
    st.sampled_from(
        [CLIENT, OTHER, HEAD + SERVER4, HEAD + LEASE, HEAD + OTHER4, HEAD + bytes((127, 0, 0, 1))]
    ),
    any_.v4.map(lambda v4: HEAD + v4),
    any_.v6,
)
addresses4 = st.one_of(
    st.sampled_from([LEASE, OTHER4, SERVER4, bytes((10, 0, 0, 200)), bytes((10, 1, 0, 7))]), any_.v4
)
ports = st.integers(0, 0xFFFF)


@st.composite
def bodies(draw: st.DrawFn, src: bytes, dst: bytes) -> tuple[int, bytes]:
    """A transport of either family with a right checksum, or anything."""
    kind = draw(st.sampled_from(["udp", "tcp", "echo4", "echo6", "any"]))
    payload = draw(any_.data)
    if kind == "udp":
        return 17, udp.build(src, dst, draw(ports), draw(ports), payload)
    if kind == "tcp":
        header = tcp.Tcp(
            draw(ports), draw(ports), draw(any_.u32), draw(any_.u32), draw(any_.u8), draw(ports), 0, b""
        )
        return 6, tcp.build(src, dst, header, payload)
    if kind == "echo4":
        return 1, echo4(draw(ports), draw(ports), payload, reply=draw(st.booleans()))
    if kind == "echo6" and len(src) == 16:
        return 58, icmpv6.build(src, dst, draw(st.integers(128, 129)), 0, bytes(4) + payload)
    return draw(any_.u8), payload


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    if draw(st.booleans()):
        src, dst = draw(addresses6), draw(addresses6)
        kind, body = draw(bodies(src, dst))
        return ipv6.build(src, dst, kind, body, hop_limit=draw(any_.u8), traffic_class=draw(any_.u8))
    src, dst = draw(addresses4), draw(addresses4)
    kind, body = draw(bodies(src, dst))
    options: dict[str, Any] = {
        "ttl": draw(any_.u8),
        "tos": draw(any_.u8),
        "dont_fragment": draw(st.booleans()),
    }
    if draw(st.integers(0, 9)) == 0:
        options |= {"more_fragments": draw(st.booleans()), "fragment_offset": draw(st.integers(0, 8000))}
    return ipv4.build(src, dst, kind, body, **options)


def slow(translator: Translator, packet: bytes, ident: int) -> list[Any]:
    if packet[:1] and packet[0] >> 4 == 4:
        return translator.to_ipv6(packet, 0.0)
    return translator.to_ipv4(packet, ident, 0.0)


@settings(max_examples=400)
@given(packets(), st.integers(1, 0xFFFF))
def test_what_the_fast_path_decides_the_slow_path_decides_alike(packet: bytes, ident: int) -> None:
    for translator in (FAST, MAPPED):
        fast = translator.fast(packet, ident)
        results = slow(translator, packet, ident)
        assert fast.verdict is Verdict.SLOW or results[-1] == fast
        assert all(result.verdict is not Verdict.SLOW for result in results)


@settings(max_examples=300)
@given(st.binary(max_size=120), st.integers(1, 0xFFFF))
def test_nothing_raises(noise: bytes, ident: int) -> None:
    for start in (b"", b"\x45", b"\x60"):
        packet = start + noise
        fast = FAST.fast(packet, ident)
        for results in (FAST.to_ipv4(packet, ident, 0.0), FAST.to_ipv6(packet, 0.0)):
            assert (
                fast.verdict is not Verdict.FORWARD or fast == results[-1] or results[-1].reason is not None
            )


def rebuilt(packet: bytes) -> bytes:
    """What scapy writes when it computes every length and checksum itself."""
    inet = pytest.importorskip("scapy.layers.inet", reason="scapy is not installed")
    inet6 = pytest.importorskip("scapy.layers.inet6", reason="scapy is not installed")
    read = (inet.IP if packet[0] >> 4 == 4 else inet6.IPv6)(packet)
    layer = read
    while layer:
        for field in ("len", "chksum", "cksum", "plen"):
            if field in layer.fields:
                layer.delfieldval(field)
        layer = layer.payload
    return bytes(read)


@settings(max_examples=100)
@given(st.data(), st.integers(1, 0xFFFF))
def test_scapy_computes_the_same_checksums(data: st.DataObject, ident: int) -> None:
    """Every checksum that went out was adjusted, never computed: scapy computes it."""
    if data.draw(st.booleans()):
        kind, body = data.draw(bodies(CLIENT, HEAD + SERVER4).filter(lambda found: found[0] in (6, 17, 58)))
        packet = ipv6.build(CLIENT, HEAD + SERVER4, kind, body)
    else:
        kind, body = data.draw(bodies(SERVER4, LEASE).filter(lambda found: found[0] in (1, 6, 17)))
        packet = ipv4.build(SERVER4, LEASE, kind, body)
    for result in slow(FAST, packet, ident):
        # An echo reply of nothing but zeros has the checksum 0xffff, which no difference can find (RFC 1624 3).
        zeros = packet[0] >> 4 == 6 and kind == 58 and body[0] == 129 and not any(body[4:])
        if result.verdict is Verdict.FORWARD and packet == rebuilt(packet) and not zeros:
            assert rebuilt(result.packet) == result.packet


@settings(max_examples=60)
@given(st.booleans(), st.binary(min_size=1, max_size=4000), st.integers(100, 1400), st.integers(1, 60000))
def test_super_packets_translate_as_their_segments_do(
    six: bool, payload: bytes, size: int, ident: int
) -> None:
    source, target = (CLIENT, HEAD + SERVER4) if six else (SERVER4, LEASE)
    pseudo = (
        int.from_bytes(source, "big") + int.from_bytes(target, "big") + 26 + len(payload)
    ) % 0xFFFF or 0xFFFF
    body = bytes.fromhex("9c41005011223344000000005018ffff") + pseudo.to_bytes(2, "big") + b"\0\0" + payload
    if six:
        packet, start, kind = ipv6.build(source, target, 6, body), 40, virtio.GSO_TCPV6
    else:
        packet, start, kind = ipv4.build(source, target, 6, body, dont_fragment=True, ident=ident), 20, 1
    header = virtio.HEADER.pack(1, kind, start + 20, size, start, 16)
    result = FAST.translate_gso(header, packet, ident)
    assert result.verdict is Verdict.FORWARD
    # The headers alone tell as much.
    cut = FAST.translate_gso(header, packet[:FRONT], ident, len(packet))
    assert cut.packet + packet[FRONT:] == result.packet
    there = segments(result.packet[:10], result.packet[10:])
    pieces = segments(header, packet)
    alone = [FAST.fast(piece, ident + number).packet for number, piece in enumerate(pieces)]
    if size + 40 > 1260 and six:
        # The last segment alone may be small enough to go without DF; of a super-packet it has the DF of all.
        there, alone = there[:-1], alone[:-1]
    assert there == alone


@settings(max_examples=200)
@given(
    st.booleans(), st.integers(0, 1400), st.binary(min_size=4, max_size=1200), st.integers(16, 250), any_.data
)
def test_errors_keep_their_extension_and_fit(
    six: bool, size: int, extension: bytes, words: int, noise: bytes
) -> None:
    """RFC 4884 4, 4443 2.4 (c), 1812 4.3.2.3: where the length says, behind 128 bytes at least, or gone."""
    unit, most = (8, 576) if six else (4, 1280)
    length = max(128, words * unit) // unit
    source, target = (HEAD + SERVER4, CLIENT) if six else (LEASE, SERVER4)
    build = ipv6.build if six else ipv4.build
    quoted = build(source, target, 17, udp.build(source, target, 1, 2, noise + bytes(size)))[: length * unit]
    quoted += bytes(length * unit - len(quoted))
    if six:
        message = icmpv6.build(CLIENT, HEAD + SERVER4, 1, 0, bytes((length, 0, 0, 0)) + quoted + extension)
        packet = ipv6.build(CLIENT, HEAD + SERVER4, 58, message)
    else:
        message = icmpv4.build(icmpv4.Icmpv4(3, 1, length << 16, quoted + extension))
        packet = ipv4.build(SERVER4, LEASE, 1, message)
    result = slow(FAST, packet, 7)[-1]
    assert result.verdict is Verdict.FORWARD and len(result.packet) <= most
    if six:
        body, told = ipv4.parse(result.packet)[1][8:], result.packet[20 + 5] * 4
        icmpv4.parse(result.packet[20:])
    else:
        body, told = result.packet[48:], result.packet[40 + 4] * 8
        icmpv6.parse(HEAD + SERVER4, CLIENT, result.packet[40:])
    if told:
        assert told >= 128 and body[told:] == extension
    else:
        assert 128 + len(extension) > most - (28 if six else 48)
