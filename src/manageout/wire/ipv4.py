"""The IPv4 header (RFC 791)."""

from struct import Struct
from typing import NamedTuple

from manageout.errors import WireError
from manageout.wire.checksum import checksum

HEADER_LENGTH = 20

_HEADER = Struct("!BBHHHBBH4s4s")


class Ipv4(NamedTuple):
    """An IPv4 header; ``fragment_offset`` in units of 8 bytes, ``flags`` the 3 bits before it."""

    tos: int
    total_length: int
    ident: int
    flags: int
    fragment_offset: int
    ttl: int
    protocol: int
    src: bytes
    dst: bytes
    options: bytes

    @property
    def header_length(self) -> int:
        """Bytes, options included."""
        return HEADER_LENGTH + len(self.options)

    @property
    def dont_fragment(self) -> bool:
        """DF."""
        return bool(self.flags & 2)

    @property
    def more_fragments(self) -> bool:
        """MF."""
        return bool(self.flags & 1)

    @property
    def is_fragment(self) -> bool:
        """Only a part of the original packet."""
        return bool(self.flags & 1 or self.fragment_offset)


def parse_header(data: bytes | memoryview) -> Ipv4:
    """Read the header alone: version, IHL and lengths within it are checked, the checksum is not.

    For quotations in ICMP errors, which are cut short and may have been altered on the way.
    """
    if len(data) < HEADER_LENGTH:
        raise WireError(f"truncated IPv4 header: {len(data)} bytes")
    first, tos, total, ident, fragment, ttl, protocol, _, src, dst = _HEADER.unpack_from(data)
    if first >> 4 != 4:
        raise WireError(f"not IPv4: version {first >> 4}")
    length = (first & 15) * 4
    if length < HEADER_LENGTH or length > len(data):
        raise WireError(f"IPv4 header length {length} does not fit")
    if total < length:
        raise WireError(f"IPv4 total length {total} is less than the header's {length}")
    options = b"" if length == HEADER_LENGTH else bytes(data[HEADER_LENGTH:length])
    return Ipv4(tos, total, ident, fragment >> 13, fragment & 0x1FFF, ttl, protocol, src, dst, options)


def parse(data: bytes | memoryview) -> tuple[Ipv4, bytes]:
    """Read a packet: header, and payload cut to the total length.

    Raises :class:`WireError` for a wrong version, header length, total length or checksum (RFC 1122 3.2.1).
    """
    header = parse_header(data)
    length = header.header_length
    if header.total_length > len(data):
        raise WireError(f"truncated IPv4 packet: {len(data)} of {header.total_length} bytes")
    if checksum(data[:length]):
        raise WireError("wrong IPv4 header checksum")
    return header, bytes(data[length : header.total_length])


def build(
    src: bytes,
    dst: bytes,
    protocol: int,
    payload: bytes,
    *,
    ttl: int = 64,
    tos: int = 0,
    ident: int = 0,
    dont_fragment: bool = False,
    more_fragments: bool = False,
    fragment_offset: int = 0,
    options: bytes = b"",
) -> bytes:
    """Header with checksum, and ``payload``. Raises :class:`WireError` when something does not fit."""
    length = HEADER_LENGTH + len(options)
    total = length + len(payload)
    if len(options) % 4 or len(options) > 40:
        raise WireError(f"{len(options)} bytes of IPv4 options: not a multiple of 4 up to 40")
    if total > 0xFFFF:
        raise WireError(f"IPv4 packet of {total} bytes")
    fragment = dont_fragment << 14 | more_fragments << 13 | fragment_offset
    fields = (0x40 | length // 4, tos, total, ident, fragment, ttl, protocol)
    value = checksum(_HEADER.pack(*fields, 0, src, dst) + options)
    return _HEADER.pack(*fields, value, src, dst) + options + payload
