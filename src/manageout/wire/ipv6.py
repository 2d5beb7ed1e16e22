"""The IPv6 header and the walk over its extension headers (RFC 8200)."""

from struct import Struct
from typing import NamedTuple

from manageout.errors import WireError
from manageout.wire.numbers import AUTHENTICATION, EXTENSIONS, FRAGMENT, HOP_BY_HOP, ROUTING

HEADER_LENGTH = 40
MINIMUM_MTU = 1280
MAX_EXTENSIONS = 16
"""More extension headers than this no honest sender uses (RFC 8504 5.3 allows a limit)."""

_HEADER = Struct("!IHBB16s16s")
_FRAGMENT = Struct("!BBHI")


class Ipv6(NamedTuple):
    """An IPv6 header."""

    traffic_class: int
    flow_label: int
    payload_length: int
    next_header: int
    hop_limit: int
    src: bytes
    dst: bytes


class Fragment(NamedTuple):
    """A Fragment header; ``offset`` in units of 8 bytes."""

    offset: int
    more: bool
    ident: int


class Extensions(NamedTuple):
    """What stands behind the IPv6 header; ``next_header`` begins at ``offset`` from the packet's start."""

    next_header: int
    offset: int
    fragment: Fragment | None
    routing_segments_left: int | None
    """Of the last Routing header; None when there is none."""
    behind_fragment: bool = False
    """An extension header follows the Fragment header of a first fragment."""


def parse_header(data: bytes | memoryview) -> Ipv6:
    """Read the header alone, as of a quotation that is cut short. Raises :class:`WireError`."""
    if len(data) < HEADER_LENGTH:
        raise WireError(f"truncated IPv6 header: {len(data)} bytes")
    first, length, next_header, hop_limit, src, dst = _HEADER.unpack_from(data)
    if first >> 28 != 6:
        raise WireError(f"not IPv6: version {first >> 28}")
    return Ipv6(first >> 20 & 0xFF, first & 0xFFFFF, length, next_header, hop_limit, src, dst)


def parse(data: bytes | memoryview) -> tuple[Ipv6, bytes]:
    """Read a packet: header, and payload cut to the payload length (what follows is padding).

    Raises :class:`WireError` for a wrong version or a length past the end.
    """
    header = parse_header(data)
    end = HEADER_LENGTH + header.payload_length
    if end > len(data):
        raise WireError(f"truncated IPv6 packet: {len(data)} of {end} bytes")
    return header, bytes(data[HEADER_LENGTH:end])


def build(
    src: bytes,
    dst: bytes,
    next_header: int,
    payload: bytes,
    *,
    hop_limit: int = 64,
    traffic_class: int = 0,
    flow_label: int = 0,
) -> bytes:
    """Header and ``payload``. Raises :class:`WireError` for a payload over 65535 bytes."""
    length = len(payload)
    if length > 0xFFFF:
        raise WireError(f"IPv6 payload of {length} bytes")
    first = 0x6000_0000 | traffic_class << 20 | flow_label
    return _HEADER.pack(first, length, next_header, hop_limit, src, dst) + payload


def walk_extensions(packet: bytes | memoryview) -> Extensions:
    """Find the upper-layer header of a packet (or of a quotation that is cut behind that header).

    Stops at ESP, at No Next Header, and behind the Fragment header of a later fragment, whose data is no
    header. Raises :class:`WireError` when a header runs past the end, when Hop-by-Hop Options do not come
    first, or when there are too many headers.
    """
    header = parse_header(packet)
    end = min(len(packet), HEADER_LENGTH + header.payload_length)
    kind, offset = header.next_header, HEADER_LENGTH
    fragment: Fragment | None = None
    segments_left: int | None = None
    behind = False
    for _ in range(MAX_EXTENSIONS + 1):
        if kind not in EXTENSIONS:
            return Extensions(kind, offset, fragment, segments_left, behind)
        if offset + 8 > end:
            raise WireError(f"truncated IPv6 extension header {kind}")
        if kind == HOP_BY_HOP and offset != HEADER_LENGTH:
            raise WireError("Hop-by-Hop Options are not the first header (RFC 8200 4.1)")
        following = packet[offset]
        behind = behind or fragment is not None
        if kind == FRAGMENT:
            if fragment is not None:
                raise WireError("two Fragment headers")
            _, _, word, ident = _FRAGMENT.unpack_from(packet, offset)
            fragment = Fragment(word >> 3, bool(word & 1), ident)
            length = 8
            if fragment.offset:
                return Extensions(following, offset + 8, fragment, segments_left)
        elif kind == AUTHENTICATION:
            length = (packet[offset + 1] + 2) * 4
        else:
            length = (packet[offset + 1] + 1) * 8
            if kind == ROUTING:
                segments_left = packet[offset + 3]
        offset += length
        if offset > end:
            raise WireError(f"truncated IPv6 extension header {kind}")
        kind = following
    raise WireError("too many IPv6 extension headers")
