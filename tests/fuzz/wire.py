"""Drivers for the decoders of ``manageout.wire``.

Each decodes; what is accepted must survive being written and read again, or another check of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Protocol, TypeVar

from manageout.errors import WireError
from manageout.protocol.offload.join import StockStream
from manageout.wire import address, icmpv4, icmpv6, ipv4, ipv6, nd, proxy
from manageout.wire.cursor import Cursor
from manageout.wire.iphttps import DeChunker, HeadParser, OwnFramer, build_record
from tests.fuzz import repair
from tests.fuzz.engine import Target
from tests.fuzz.repair import SOURCE, TARGET
from tests.tools.packets import tcp, udp
from tests.tools.packets.proxy import proxy_header
from tests.vectors import names, vector

Item = TypeVar("Item", covariant=True)

PACKETS6 = [vector(name) for name in (*names("ND_"), "TEREDO_bubble", "IPHTTPS_DAD_NS", "IPHTTPS_proxy_NA")]
PACKETS6 += [
    vector("IPHTTPS_RA_multicast"),
    *(vector(name) for name in names("SIIT_") if name.endswith("_v6")),
]
PACKETS4 = [vector(name) for name in names("SIIT_") if name.endswith("_v4")]
PACKETS4 += [vector(name) for name in ("ISATAP_v4_RS", "ISATAP_v4_RA", "6TO4_ok")]
CHAINS = [
    ipv6.build(SOURCE, TARGET, first, bytes.fromhex(headers) + b"upper layer")
    for first, headers in (
        (0, "3c000104000000002b01010c" + 12 * "00" + "2c0000030000000033000001123456783a01" + 10 * "00"),
        (44, "3c000010000000ff"),
        (60, "3c00010400000000" * 15 + "1100010400000000"),
    )
]


V4, V6 = (
    proxy.Proxied(an_address, 443) for an_address in (IPv4Address("203.0.113.5"), IPv6Address("2001:db8::5"))
)
PROXIED = [proxy_header(None), proxy_header(V4, V4), proxy_header(V6, V6, b"\x04\0\2ab\x05\0\0")]


def _segments(mend: Callable[[bytearray], None], *packets: str) -> list[bytes]:
    """The payloads of vectors, with checksums for ``SOURCE`` and ``TARGET``."""
    segments = [bytearray(ipv6.parse(vector(name))[1]) for name in packets]
    for segment in segments:
        mend(segment)
    return [bytes(segment) for segment in segments]


def cursor(data: bytes) -> None:
    """Every read, chosen by the data itself."""
    reader = Cursor(data)
    reads: tuple[Callable[[], object], ...] = (
        reader.u8,
        reader.u16,
        lambda: reader.take(reader.u8()),
        lambda: reader.skip(reader.u8()),
        lambda: reader.sub(reader.u8()).rest(),
    )
    while reader.remaining:
        before = reader.remaining
        reads[reader.u8() % len(reads)]()
        assert 0 <= reader.remaining < before


def ipv4_packet(data: bytes) -> None:
    """Round trip of header and payload."""
    header, payload = ipv4.parse(data)
    again = ipv4.build(
        header.src,
        header.dst,
        header.protocol,
        payload,
        ttl=header.ttl,
        tos=header.tos,
        ident=header.ident,
        options=header.options,
        dont_fragment=header.dont_fragment,
        more_fragments=header.more_fragments,
        fragment_offset=header.fragment_offset,
    )
    read, payload_again = ipv4.parse(again)
    assert payload_again == payload and read == header._replace(flags=header.flags & 3)
    assert len(again) == header.total_length


def ipv6_packet(data: bytes) -> None:
    """Round trip of header and payload."""
    header, payload = ipv6.parse(data)
    again = ipv6.build(
        header.src,
        header.dst,
        header.next_header,
        payload,
        hop_limit=header.hop_limit,
        traffic_class=header.traffic_class,
        flow_label=header.flow_label,
    )
    assert again == data[: len(again)]


def extensions(data: bytes) -> None:
    """The walk stays within the packet."""
    found = ipv6.walk_extensions(data)
    assert 40 <= found.offset <= len(data)
    nd.message_type(data)


def udp_datagram(data: bytes) -> None:
    """Round trip."""
    header, payload = udp.parse(SOURCE, TARGET, data)
    again = udp.build(SOURCE, TARGET, header.source, header.destination, payload)
    assert udp.parse(SOURCE, TARGET, again) == (header, payload)


def tcp_segment(data: bytes) -> None:
    """Round trip."""
    header, payload = tcp.parse(SOURCE, TARGET, data)
    assert tcp.parse(SOURCE, TARGET, tcp.build(SOURCE, TARGET, header, payload)) == (header, payload)


def icmpv4_message(data: bytes) -> None:
    """Round trip, then the quotation."""
    message = icmpv4.parse(data)
    assert icmpv4.parse(icmpv4.build(message)) == message
    message.quoted()


def icmpv6_message(data: bytes) -> None:
    """Round trip."""
    message = icmpv6.parse(SOURCE, TARGET, data)
    again = icmpv6.build(SOURCE, TARGET, message.type, message.code, message.body)
    assert icmpv6.parse(SOURCE, TARGET, again) == message


def icmpv6_error(data: bytes) -> None:
    """An error about anything at all: valid, and never an error about an error."""
    for packet in (
        icmpv6.packet_too_big(SOURCE, TARGET, 1280, data),
        icmpv6.unreachable(SOURCE, TARGET, 0, data),
        icmpv6.time_exceeded(SOURCE, TARGET, data),
        icmpv6.parameter_problem(SOURCE, TARGET, 0, 0, data),
    ):
        if packet is not None:
            assert len(packet) <= 1280
            assert icmpv6.parse(SOURCE, TARGET, ipv6.parse(packet)[1]).is_error
            assert icmpv6.unreachable(SOURCE, TARGET, 0, packet) is None


def neighbour_discovery(data: bytes) -> None:
    """Round trip of the values."""
    header, message = nd.parse(data)
    assert nd.message_type(data) is not None
    again = nd.build(header.src, header.dst, message)
    assert nd.parse(again)[1] == message


def options(data: bytes) -> None:
    """Round trip of the values."""
    found = nd.parse_options(data)
    again = nd.build_options(found)
    assert len(again) <= len(data)
    assert nd.parse_options(again) == found


# --- Streams --------------------------------------------------------------------------------------------


class Feeds(Protocol[Item]):
    """What the stream decoders have in common."""

    def feed(self, data: bytes) -> Item:
        """Take a stretch."""


def cuts(data: bytes) -> list[bytes]:
    """The data cut in places that it chooses itself."""
    size = 1 + (data[0] ^ data[-1]) % 61 if data else 1
    return [data[start : start + size] for start in range(0, len(data), size)]


def outcome(data: list[bytes], decoder: Feeds[Item]) -> tuple[list[Item], WireError | None]:
    """What the stretches gave until one was refused."""
    found: list[Item] = []
    for piece in data:
        try:
            found.append(decoder.feed(piece))
        except WireError as error:
            return found, error
    return found, None


def head(data: bytes) -> None:
    """A head reads alike however it is cut."""
    whole, parts = HeadParser(), HeadParser()
    error, other = outcome([data], whole)[1], outcome(cuts(data), parts)[1]
    assert (error is None) == (other is None) and whole.head == parts.head
    if whole.head is not None:
        assert whole.rest == parts.rest
    if error is not None:
        raise error


def framer(data: bytes) -> None:
    """Packets come out alike however the stream is cut, and together they are the stream."""
    whole, parts = StockStream(1500, vnet_hdr=False), StockStream(1500, vnet_hdr=False)
    found, error = outcome([data], whole)
    pieces, other = outcome(cuts(data), parts)
    packets = [packet for piece in pieces for packet in piece]
    assert (error is None) == (other is None)
    assert data.startswith(b"".join(packets))
    assert all(len(packet) == 40 + int.from_bytes(packet[4:6], "big") for packet in packets)
    if error is not None:
        raise error
    assert found == [packets] and whole.pending == parts.pending
    assert whole.pending == len(data) - sum(map(len, packets)) < 1500


def own_framer(data: bytes) -> None:
    """Records come out alike however the stream is cut, and together they are the stream."""
    whole, parts = OwnFramer(), OwnFramer()
    found, error = outcome([data], whole)
    pieces, other = outcome(cuts(data), parts)
    records = [record for piece in pieces for record in piece]
    assert (error is None) == (other is None)
    assert data.startswith(b"".join(build_record(*record) for record in records))
    if error is not None:
        raise error
    assert found == [records] and whole.pending == parts.pending


def chunks(data: bytes) -> None:
    """Content comes out alike however the stream is cut."""
    whole, parts = DeChunker(), DeChunker()
    found, error = outcome([data], whole)
    pieces, other = outcome(cuts(data), parts)
    assert (error is None) == (other is None)
    if error is not None:
        raise error
    assert b"".join(found) == b"".join(pieces) and whole.done == parts.done


# --- Addresses ------------------------------------------------------------------------------------------

PREFIXES = [IPv6Network((bytes.fromhex("20010db801220344") + bytes(8), size)) for size in (64, 96)]
PREFIXES += [IPv6Network((PREFIXES[0].network_address, size), strict=False) for size in (32, 40, 48, 56)]


def addresses(data: bytes) -> None:
    """Every reading of 16 bytes, and back."""
    if len(data) < 16:
        raise WireError("too short")
    packed = data[:16]
    v6, v4 = IPv6Address(packed), IPv4Address(packed[12:])
    assert address.explain(v6, tuple(PREFIXES)) and address.explain(v4)
    teredo = address.TeredoAddress.parse(v6)
    assert teredo is None or teredo.address() == v6
    isatap = address.embedded_isatap(packed)
    assert isatap is None or packed[8:].endswith(b"\0\x5e\xfe" + isatap)
    sixtofour = address.embedded_sixtofour(packed)
    assert sixtofour is None or v6 in address.sixtofour_prefix(IPv4Address(sixtofour))
    for prefix in PREFIXES:
        assert address.rfc6052_extract(prefix, address.rfc6052_embed(prefix, v4)) == v4
        address.rfc6052_extract(prefix, v6)


HEADS = [
    vector("IPHTTPS_request"),
    vector("IPHTTPS_response"),
    b"\r\nCONNECT a:1 HTTP/1.0\r\nA: b\r\nA:c\r\n\r\nrest",
]
STREAM = vector("IPHTTPS_stream3")
RECORDS = build_record(0, STREAM[:48]) + build_record(2, b"ping") + build_record(1, bytes(10) + STREAM[88:])
ADDRESSES = [
    vector(name) for name in (*names("6052_"), *names("ISATAP_LL"), *names("TEREDO_addr"), "6TO4_prefix")
]

_UDP = repair.repair_segment(6, 17, length_at=4)
_TCP = repair.repair_segment(16, 6)
_ICMPV6 = repair.repair_segment(2, 58)


def read_proxy_header(data: bytes) -> None:
    """What is whole is read; what it says survives being written; one byte less is never whole."""
    wanted = proxy.missing(data)
    if wanted > 0:
        assert wanted <= proxy.FIXED + proxy.MAX_BODY
        return
    data = data[: len(data) + wanted] if wanted < 0 else data
    assert proxy.missing(data[:-1]) == 1 and proxy.begins(data)
    if (found := proxy.parse(data)) is not None:
        assert not found.address.is_multicast and 0 < found.port < 65536
        assert proxy.parse(proxy_header(found, found)) == found


TARGETS = [
    Target("proxy header", read_proxy_header, PROXIED),
    Target(
        "cursor",
        cursor,
        [bytes.fromhex("0001 010203 0204050607 03" + 8 * "08" + "0402aabb 0501cc 0601dd"), b"\7\7" * 9],
    ),
    Target("ipv4", ipv4_packet, PACKETS4, repair.repair_ipv4),
    Target("ipv6", ipv6_packet, PACKETS6, repair.repair_ipv6),
    Target("extensions", extensions, CHAINS + PACKETS6, repair.repair_ipv6),
    Target("udp", udp_datagram, _segments(_UDP, "SIIT_udp_v6", "SIIT_udp_csum0_v6_if_computed"), _UDP),
    Target("tcp", tcp_segment, _segments(_TCP, "SIIT_tcpsyn_v6"), _TCP),
    Target(
        "icmpv4",
        icmpv4_message,
        [packet[20:] for packet in PACKETS4 if packet[9] == 1],
        repair.repair_icmpv4,
    ),
    Target(
        "icmpv6",
        icmpv6_message,
        _segments(_ICMPV6, "SIIT_echo_v6", "SIIT_ptb_1400_v6", "ND_RA_unicast_isatap"),
        _ICMPV6,
    ),
    Target("icmpv6_error", icmpv6_error, PACKETS6 + CHAINS, repair.repair_ipv6),
    Target(
        "nd", neighbour_discovery, [p for p in PACKETS6 if p[40:41] in b"\x85\x86\x87\x88"], repair.repair_nd
    ),
    Target("nd_options", options, [vector(name) for name in names("opt_")]),
    Target("head", head, HEADS),
    Target("framer", framer, [STREAM, STREAM[48:], STREAM[88:] * 3]),
    Target("own_framer", own_framer, [RECORDS, RECORDS * 2]),
    Target("chunks", chunks, [b"4;x=y\r\nabcd\r\n0A\r\n0123456789\r\n0\r\n\r\n", b"1\r\na\r\n" * 5]),
    Target("addresses", addresses, ADDRESSES),
]
