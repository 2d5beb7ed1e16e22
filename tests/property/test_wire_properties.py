"""What is written is read back, and random bytes raise nothing but our own error."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manageout.errors import WireError
from manageout.protocol.offload.join import StockStream
from manageout.protocol.translate.whole import adjusted
from manageout.wire import address, icmpv4, icmpv6, ipv4, ipv6, nd, numbers, proxy
from manageout.wire.checksum import checksum, pseudo, sum16, transport_checksum
from manageout.wire.cursor import Cursor
from manageout.wire.iphttps import (
    KEEPALIVE,
    MAX_KEEPALIVE,
    PACKET,
    SUPER_PACKET,
    DeChunker,
    HeadParser,
    OwnFramer,
    RequestHead,
    build_record,
    build_request,
)
from tests.tools.packets import strategies as any_
from tests.tools.packets import tcp, udp
from tests.tools.packets.proxy import proxy_header

# --- Random bytes ---------------------------------------------------------------------------------------

SOURCE, TARGET = bytes(15) + b"\1", bytes(15) + b"\2"
DECODERS: dict[str, Callable[[bytes], object]] = {
    "proxy header": proxy.parse,
    "proxy header, missing": proxy.missing,
    "ipv4": ipv4.parse,
    "ipv4 header": ipv4.parse_header,
    "ipv6": ipv6.parse,
    "ipv6 header": ipv6.parse_header,
    "extensions": ipv6.walk_extensions,
    "udp": lambda data: udp.parse(SOURCE, TARGET, data),
    "tcp": lambda data: tcp.parse(SOURCE, TARGET, data),
    "icmpv4": lambda data: icmpv4.parse(data).quoted(),
    "icmpv4 quotation": lambda data: icmpv4.Icmpv4(3, 0, 0, data).quoted(),
    "icmpv6": lambda data: icmpv6.parse(SOURCE, TARGET, data),
    "icmpv6 error": lambda data: icmpv6.unreachable(SOURCE, TARGET, 0, data),
    "nd": nd.parse,
    "nd type": nd.message_type,
    "nd options": nd.parse_options,
    "head": lambda data: HeadParser().feed(data),
    "framer": lambda data: StockStream(1500, vnet_hdr=False).feed(data),
    "records": lambda data: OwnFramer().feed(data),
    "chunks": lambda data: DeChunker().feed(data),
    "cursor": lambda data: [Cursor(data).u8(), Cursor(data).u16(), Cursor(data).sub(3)],
}


@pytest.mark.parametrize("name", DECODERS)
@given(data=any_.data)
def test_random_bytes_raise_nothing_else(name: str, data: bytes) -> None:
    # A first byte that the decoder likes brings some of them further.
    for candidate in (data, b"\x45" + data, b"\x60" + data):
        try:
            DECODERS[name](candidate)
        except WireError:
            continue


# --- Checksums ------------------------------------------------------------------------------------------


def by_definition(data: bytes) -> int:
    """RFC 1071 4.1, word by word."""
    total = 0
    padded = data + b"\0" * (len(data) % 2)
    for start in range(0, len(padded), 2):
        total += int.from_bytes(padded[start : start + 2], "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total


@given(any_.data)
def test_sum(data: bytes) -> None:
    assert sum16(data) == by_definition(data)
    assert checksum(data) == by_definition(data) ^ 0xFFFF


@given(any_.v6, any_.v6, any_.data, any_.u8)
def test_pseudo_header6(src: bytes, dst: bytes, data: bytes, kind: int) -> None:
    header = src + dst + len(data).to_bytes(4, "big") + bytes((0, 0, 0, kind))
    assert checksum(data, pseudo(src, dst, len(data), kind)) == by_definition(header + data) ^ 0xFFFF


@given(any_.v4, any_.v4, any_.data, any_.u8)
def test_pseudo_header4(src: bytes, dst: bytes, data: bytes, kind: int) -> None:
    header = src + dst + bytes((0, kind)) + len(data).to_bytes(2, "big")
    assert checksum(data, pseudo(src, dst, len(data), kind)) == by_definition(header + data) ^ 0xFFFF


@given(
    any_.data,
    st.integers(1, 8).flatmap(lambda n: st.tuples(*[st.binary(min_size=2 * n, max_size=2 * n)] * 2)),
)
def test_update_is_as_good_as_a_new_sum(rest: bytes, words: tuple[bytes, bytes]) -> None:
    """RFC 1624: also across the two names of zero, but for data that is all zero, which no packet is."""
    old, new = words
    updated = adjusted(checksum(old + rest), int.from_bytes(old, "big"), int.from_bytes(new, "big"))
    if any(old + rest) and any(new + rest):
        assert updated == checksum(new + rest)


@given(any_.v6, any_.v6, any_.word_data, any_.u8)
def test_a_checksum_in_its_place_sums_to_nothing(src: bytes, dst: bytes, data: bytes, kind: int) -> None:
    even = data + b"\0" * (len(data) % 2)
    value = transport_checksum(src, dst, kind, even + b"\0\0")
    final = even + value.to_bytes(2, "big")
    assert checksum(final, pseudo(src, dst, len(final), kind)) in (
        0,
        0xFFFF if not any(src + dst + final) else 0,
    )


# --- Round trips ----------------------------------------------------------------------------------------


@given(
    st.builds(
        ipv4.Ipv4,
        any_.u8,
        st.just(0),
        any_.u16,
        st.integers(0, 3),
        st.integers(0, 0x1FFF),
        any_.u8,
        any_.u8,
        any_.v4,
        any_.v4,
        any_.options4,
    ),
    any_.data,
    any_.data,
)
def test_ipv4(header: ipv4.Ipv4, payload: bytes, padding: bytes) -> None:
    packet = ipv4.build(
        header.src,
        header.dst,
        header.protocol,
        payload,
        ttl=header.ttl,
        tos=header.tos,
        ident=header.ident,
        dont_fragment=header.dont_fragment,
        more_fragments=header.more_fragments,
        fragment_offset=header.fragment_offset,
        options=header.options,
    )
    assert ipv4.parse(packet + padding) == (header._replace(total_length=len(packet)), payload)


@given(any_.v6, any_.v6, any_.u8, any_.u8, any_.u8, st.integers(0, 2**20 - 1), any_.data, any_.data)
def test_ipv6(
    src: bytes, dst: bytes, kind: int, hops: int, tclass: int, label: int, payload: bytes, padding: bytes
) -> None:
    packet = ipv6.build(src, dst, kind, payload, hop_limit=hops, traffic_class=tclass, flow_label=label)
    wanted = ipv6.Ipv6(tclass, label, len(payload), kind, hops, src, dst)
    assert ipv6.parse(packet + padding) == (wanted, payload)


_extension = st.sampled_from(
    (numbers.DESTINATION_OPTIONS, numbers.ROUTING, numbers.MOBILITY, numbers.AUTHENTICATION)
)


@given(st.lists(st.tuples(_extension, st.integers(0, 3)), max_size=10), any_.data)
def test_extension_headers(chain: list[tuple[int, int]], upper: bytes) -> None:
    kinds = [kind for kind, _ in chain] + [numbers.UDP]
    headers = b""
    for (kind, size), following in zip(chain, kinds[1:], strict=True):
        # The smallest Authentication header has 12 bytes; of it only multiples of 8 stand in IPv6.
        length = 4 * (size * 2 + 4) if kind == numbers.AUTHENTICATION else 8 * (size + 1)
        units = length // 4 - 2 if kind == numbers.AUTHENTICATION else size
        headers += bytes((following, units)) + bytes(length - 2)
    packet = ipv6.build(SOURCE, TARGET, kinds[0], headers + upper)
    left = 0 if numbers.ROUTING in kinds else None
    assert ipv6.walk_extensions(packet) == ipv6.Extensions(numbers.UDP, 40 + len(headers), None, left)


@pytest.mark.parametrize("addresses", [any_.v4, any_.v6], ids=["v4", "v6"])
@given(drawn=st.data(), source=any_.u16, destination=any_.u16, payload=any_.data, padding=any_.data)
def test_udp(
    addresses: st.SearchStrategy[bytes],
    drawn: st.DataObject,
    source: int,
    destination: int,
    payload: bytes,
    padding: bytes,
) -> None:
    src, dst = drawn.draw(addresses), drawn.draw(addresses)
    segment = udp.build(src, dst, source, destination, payload)
    assert segment[6:8] != b"\0\0"
    assert udp.parse(src, dst, segment + padding) == (udp.Udp(source, destination), payload)


@given(
    any_.v6,
    any_.v6,
    st.builds(tcp.Tcp, any_.u16, any_.u16, any_.u32, any_.u32, any_.u8, any_.u16, any_.u16, any_.options4),
    any_.data,
)
def test_tcp(src: bytes, dst: bytes, header: tcp.Tcp, payload: bytes) -> None:
    assert tcp.parse(src, dst, tcp.build(src, dst, header, payload)) == (header, payload)


@given(st.builds(icmpv4.Icmpv4, any_.u8, any_.u8, any_.u32, any_.data))
def test_icmpv4(message: icmpv4.Icmpv4) -> None:
    assert icmpv4.parse(icmpv4.build(message)) == message


@given(any_.v6, any_.v6, any_.u8, any_.u8, any_.data)
def test_icmpv6(src: bytes, dst: bytes, kind: int, code: int, body: bytes) -> None:
    segment = icmpv6.build(src, dst, kind, code, body)
    assert icmpv6.parse(src, dst, segment) == icmpv6.Icmpv6(kind, code, body)


@given(any_.options)
def test_nd_options(options: tuple[nd.Option, ...]) -> None:
    assert nd.parse_options(nd.build_options(options)) == options


@given(any_.link_local, any_.unicast6, any_.message)
def test_nd(src: bytes, dst: bytes, message: nd.Message) -> None:
    header, read = nd.parse(nd.build(src, dst, message))
    assert (header.src, header.dst, header.hop_limit, read) == (src, dst, 255, message)


@given(any_.link_local, any_.unicast6, any_.message, st.integers(8, 10_000), st.integers(1, 255))
def test_one_changed_byte_is_noticed(
    src: bytes, dst: bytes, message: nd.Message, place: int, change: int
) -> None:
    """By the checksum, the hop limit or the next header: one byte cannot turn a valid message into another."""
    packet = bytearray(nd.build(src, dst, message))
    packet[6 + place % (len(packet) - 6)] ^= change
    with pytest.raises(WireError):
        nd.parse(bytes(packet))


# --- Streams --------------------------------------------------------------------------------------------

_packet = st.builds(ipv6.build, any_.v6, any_.v6, any_.u8, any_.data)
_record = st.one_of(
    st.tuples(st.just(PACKET), _packet),
    st.tuples(st.just(SUPER_PACKET), st.builds(bytes.__add__, st.binary(min_size=10, max_size=10), _packet)),
    st.tuples(st.just(KEEPALIVE), st.binary(max_size=MAX_KEEPALIVE)),
)


def cut(data: bytes, drawn: st.DataObject) -> list[bytes]:
    """The data in stretches, some of them empty."""
    places = sorted(drawn.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@given(st.lists(_packet, max_size=6), st.data())
def test_packets_in_a_stream(packets: list[bytes], drawn: st.DataObject) -> None:
    framer = StockStream(65575, vnet_hdr=False)
    assert [p for piece in cut(b"".join(packets), drawn) for p in framer.feed(piece)] == packets
    assert framer.pending == 0


@given(st.lists(_record, max_size=6), st.data())
def test_records_in_a_stream(records: list[tuple[int, bytes]], drawn: st.DataObject) -> None:
    framer = OwnFramer()
    stream = b"".join(build_record(*record) for record in records)
    assert [record for piece in cut(stream, drawn) for record in framer.feed(piece)] == records


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.data())
def test_chunks_in_a_stream(contents: list[bytes], drawn: st.DataObject) -> None:
    stream = b"".join(b"%x;a=b\r\n%b\r\n" % (len(content), content) for content in contents) + b"0\r\n\r\n"
    chunks = DeChunker()
    assert b"".join(chunks.feed(piece) for piece in cut(stream, drawn)) == b"".join(contents)
    assert chunks.done


_value = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20)


@given(st.dictionaries(st.from_regex(r"\AX-[A-Za-z0-9]{1,8}\Z"), _value, max_size=5), any_.data, st.data())
def test_heads_in_a_stream(headers: dict[str, str], rest: bytes, drawn: st.DataObject) -> None:
    parser = HeadParser()
    for piece in cut(build_request("/IPHTTPS", "gateway.example", list(headers.items())) + rest, drawn):
        parser.feed(piece)
    assert isinstance(parser.head, RequestHead) and parser.rest == rest
    assert {name.lower() for name in headers} | {"host", "content-length"} == parser.head.headers.keys()


# --- Addresses ------------------------------------------------------------------------------------------


@given(any_.v4.filter(any), any_.v6)
def test_isatap_addresses(v4: bytes, prefix: bytes) -> None:
    assert address.embedded_isatap(address.isatap_link_local(v4)) == v4
    for identifier in (address.isatap_interface_id, address.isatap_interface_id_rfc):
        assert address.embedded_isatap(prefix[:8] + identifier(IPv4Address(v4)).to_bytes(8, "big")) == v4


@given(any_.v4, any_.v6, st.sampled_from((32, 40, 48, 56, 64, 96)))
def test_rfc6052_addresses(v4: bytes, prefix: bytes, length: int) -> None:
    network = IPv6Network((prefix[:8] + b"\0" + prefix[9:], length), strict=False)
    embedded = address.rfc6052_embed(network, IPv4Address(v4))
    assert embedded in network and embedded.packed[8] == 0
    assert address.rfc6052_extract(network, embedded) == IPv4Address(v4)


@given(any_.v4, any_.u16, any_.u16, any_.v4)
def test_teredo_and_sixtofour_as_the_standard_library_reads_them(
    server: bytes, flags: int, port: int, client: bytes
) -> None:
    teredo = address.TeredoAddress(IPv4Address(server), flags, port, IPv4Address(client))
    assert address.TeredoAddress.parse(teredo.address()) == teredo
    assert teredo.address().teredo == (IPv4Address(server), IPv4Address(client))
    sixtofour = IPv6Address(address.sixtofour_prefix(IPv4Address(client))[flags])
    assert address.embedded_sixtofour(sixtofour.packed) == client
    assert sixtofour.sixtofour == IPv4Address(client)


PROXIED = st.tuples(st.ip_addresses(), st.integers(1, 65535)).map(lambda pair: proxy.Proxied(*pair))
EXTRAS = st.lists(st.binary(max_size=40), max_size=9).map(
    lambda values: b"".join(b"\x04" + len(value).to_bytes(2, "big") + value for value in values)
)


@given(PROXIED, PROXIED, EXTRAS, st.binary(max_size=50))
def test_a_proxy_header_is_read_byte_by_byte_and_not_beyond(
    source: proxy.Proxied, target: proxy.Proxied, extras: bytes, behind: bytes
) -> None:
    if source.address.version != target.address.version:
        target = source
    data = proxy_header(source, target, extras)
    stream, read = data + behind, b""
    while wanted := proxy.missing(read):
        assert wanted > 0 and proxy.begins(read or data)
        read += stream[len(read) : len(read) + wanted]
    assert read == data
    plain = getattr(source.address, "ipv4_mapped", None) or source.address
    if plain.is_multicast or plain.is_unspecified:
        with pytest.raises(WireError):
            proxy.parse(read)
    else:
        assert proxy.parse(read) == proxy.Proxied(plain, source.port)


@given(PROXIED, EXTRAS, st.data())
def test_a_cut_proxy_header_is_never_whole(source: proxy.Proxied, extras: bytes, draw: st.DataObject) -> None:
    data = proxy_header(source, source, extras)
    cut = data[: draw.draw(st.integers(0, len(data) - 1))]
    assert 0 < proxy.missing(cut) <= len(data) - len(cut)
