"""The packet that an ICMP error quotes, translated (RFC 7915 4.3 and 5.3).

Like any packet, so that an error about one which no translator passes on is none of ours. But: its TTL or hop limit
stays as it is; its lengths come from its own header, for the quotation is cut short; it may be a fragment, or end
within its transport header; and it must not be an ICMP error itself.
"""

from struct import Struct

from manageout.errors import WireError
from manageout.protocol.core.drops import Drop
from manageout.protocol.translate import whole
from manageout.protocol.translate.extension_headers import walk
from manageout.protocol.translate.mappings import Mappings
from manageout.wire import ipv4, ipv6, numbers
from manageout.wire.numbers import ICMP, ICMPV6, IGMP, TCP, UDP
from manageout.wire.special import illegal4

FRAGMENT_HEADER = Struct("!BBHI")
# Numbers that would be read as something else behind the other header: IPv6 extension headers and ICMPv6 in
# IPv4, ICMP and IGMP in IPv6. Nobody sends them; passed on, they would slip through rules about protocols.
FOREIGN4 = frozenset({0, 43, 44, 58, 60, 135, 139, 140})
FOREIGN6 = frozenset({ICMP, IGMP})
_ERRORS4 = frozenset({3, 4, 5, 11, 12})


class Untranslatable(Exception):
    """The error cannot be passed on; ``reason`` says why."""

    def __init__(self, reason: Drop) -> None:
        super().__init__(reason.name)
        self.reason = reason


def quote_to6(maps: Mappings, quoted: bytes, *, turned: bool = False) -> bytes:
    """The quoted IPv4 packet as IPv6; ``turned``: RFC 7757 4.2.1, no explicit mapping for its destination.

    Raises :class:`Untranslatable`.
    """
    try:
        header = ipv4.parse_header(quoted)
    except WireError:
        raise Untranslatable(Drop.QUOTE_MALFORMED) from None
    if header.protocol in FOREIGN4 or header.protocol == IGMP:
        raise Untranslatable(Drop.QUOTE_MALFORMED)
    src6 = maps.explicit6(header.src)
    dst6 = None if turned else maps.explicit6(header.dst)
    if _refused(maps, header.src, src6) or _refused(maps, header.dst, dst6):
        raise Untranslatable(Drop.QUOTE_MALFORMED)
    src6, dst6 = src6 or maps.embed(header.src), dst6 or maps.embed(header.dst)
    body = quoted[header.header_length : header.total_length]
    length = header.total_length - header.header_length
    if not header.fragment_offset:
        old, new = whole.addresses(header.src, header.dst), whole.addresses(src6, dst6)
        body = _body(header.protocol, body, old, new, length)
    following = ICMPV6 if header.protocol == ICMP else header.protocol
    fragment = b""
    if header.is_fragment:
        word = header.fragment_offset << 3 | header.more_fragments
        fragment = FRAGMENT_HEADER.pack(following, 0, word, header.ident)
        following = numbers.FRAGMENT
    word = 0x6000_0000 | header.tos << 20
    # A total length near 65535 outgrows the payload length with a Fragment header; no such packet can have been.
    length = min(0xFFFF, length + len(fragment))
    return whole.PACK6.pack(word, length, following, header.ttl, src6, dst6) + fragment + body


def quote_to4(maps: Mappings, quoted: bytes) -> bytes:
    """The quoted IPv6 packet as IPv4. Raises :class:`Untranslatable`."""
    try:
        header = ipv6.parse_header(quoted)
        chain = walk(quoted)
    except WireError:
        raise Untranslatable(Drop.QUOTE_MALFORMED) from None
    if chain.behind_fragment or chain.segments_left_at is not None or chain.next_header in FOREIGN6:
        raise Untranslatable(Drop.QUOTE_MALFORMED)
    src4, dst4 = _quoted4(maps, header.src), _quoted4(maps, header.dst)
    body = quoted[chain.offset : ipv6.HEADER_LENGTH + header.payload_length]
    length = ipv6.HEADER_LENGTH + header.payload_length - chain.offset
    fragment, ident, word = chain.fragment, 0, 0x4000 if whole.HEADER4 + length > whole.DF_LIMIT else 0
    if fragment is not None:
        ident, word = fragment.ident & 0xFFFF, fragment.more << 13 | fragment.offset
    if fragment is None or not fragment.offset:
        old, new = whole.addresses(header.src, header.dst), whole.addresses(src4, dst4)
        body = _body(chain.next_header, body, old, new, length)
    protocol = ICMP if chain.next_header == ICMPV6 else chain.next_header
    total, tos = min(0xFFFF, whole.HEADER4 + length), header.traffic_class
    return whole.header4(tos, total, ident, word, header.hop_limit, protocol, src4, dst4) + body


def _refused(maps: Mappings, v4: bytes, mapped: bytes | None) -> bool:
    """Whether packets from or to ``v4`` are dropped; ``mapped``: its explicit IPv6 address."""
    return illegal4(v4) or (mapped is None and maps.forbidden(v4))


def _quoted4(maps: Mappings, v6: bytes) -> bytes:
    mapped = maps.explicit4(v6)
    v4 = mapped or maps.extract(v6)
    if v4 is None or _refused(maps, v4, mapped):
        raise Untranslatable(Drop.QUOTE_MALFORMED)
    return v4


def _body(protocol: int, body: bytes, old: int, new: int, length: int) -> bytes:
    """What is left of a transport segment of ``length`` bytes."""
    if protocol not in (ICMP, ICMPV6):
        return _transport(protocol, body, old, new)
    if not body:
        return body
    if body[0] in _ERRORS4 if protocol == ICMP else body[0] < 128:
        raise Untranslatable(Drop.ERROR_IN_ERROR)
    translated = whole.echo(body, protocol, old, new, length)
    if translated is None:
        raise Untranslatable(Drop.QUOTE_MALFORMED)
    return translated


def _transport(protocol: int, body: bytes, old: int, new: int) -> bytes:
    if protocol == TCP:
        return _put_checksum(body, 16, old, new)
    if protocol == UDP and body[6:8] != b"\0\0":
        body = _put_checksum(body, 6, old, new)
        return body[:6] + b"\xff\xff" + body[8:] if body[6:8] == b"\0\0" else body
    return body


def _put_checksum(body: bytes, at: int, old: int, new: int) -> bytes:
    if len(body) < at + 2:
        return body  # cut off before the checksum
    value = whole.adjusted(body[at] << 8 | body[at + 1], old, new)
    return b"".join((body[:at], value.to_bytes(2, "big"), body[at + 2 :]))
