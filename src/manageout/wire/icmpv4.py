"""ICMPv4: echo, and the errors that report on our tunnels (RFC 792, 1191)."""

from struct import Struct
from typing import NamedTuple

from manageout.errors import WireError
from manageout.wire import ipv4
from manageout.wire.checksum import checksum

ECHO_REPLY, DESTINATION_UNREACHABLE, ECHO_REQUEST, TIME_EXCEEDED, PARAMETER_PROBLEM = 0, 3, 8, 11, 12
HOST_UNREACHABLE, PROTOCOL_UNREACHABLE, PORT_UNREACHABLE, FRAGMENTATION_NEEDED, PROHIBITED = 1, 2, 3, 4, 13
"""Codes of Destination Unreachable."""

_HEADER = Struct("!BBHI")
_ERRORS = frozenset({DESTINATION_UNREACHABLE, 4, 5, TIME_EXCEEDED, PARAMETER_PROBLEM})  # 4 quench, 5 redirect
_EXTENSIBLE = frozenset({DESTINATION_UNREACHABLE, TIME_EXCEEDED, PARAMETER_PROBLEM})
# RFC 1812 4.3.2.3: quote as much as fits into 576 bytes.
_QUOTE = 576 - ipv4.HEADER_LENGTH - _HEADER.size


class Icmpv4(NamedTuple):
    """A message. ``word``: the 4 bytes behind the checksum, whose meaning depends on the type."""

    type: int
    code: int
    word: int
    body: bytes

    @property
    def is_error(self) -> bool:
        """Quotes the packet that caused it."""
        return self.type in _ERRORS

    @property
    def next_hop_mtu(self) -> int:
        """Of Fragmentation Needed, bytes; 0 from routers older than RFC 1191."""
        return self.word & 0xFFFF

    def quoted(self) -> tuple[ipv4.Ipv4, bytes]:
        """The offending packet's header and what is left of its payload. Raises :class:`WireError`."""
        if not self.is_error:
            raise WireError(f"ICMP type {self.type} quotes no packet")
        # RFC 4884 4: words of the quotation, when extensions follow it; 0 from routers that add none.
        words = self.word >> 16 & 0xFF if self.type in _EXTENSIBLE else 0
        quotation = self.body[: words * 4] if words else self.body
        header = ipv4.parse_header(quotation)
        return header, quotation[header.header_length : header.total_length]


def parse(segment: bytes | memoryview) -> Icmpv4:
    """Read a message. Raises :class:`WireError` when it is short or its checksum is wrong."""
    if len(segment) < _HEADER.size:
        raise WireError(f"truncated ICMP message: {len(segment)} bytes")
    if checksum(segment):
        raise WireError("wrong ICMP checksum")
    kind, code, _, word = _HEADER.unpack_from(segment)
    return Icmpv4(kind, code, word, bytes(segment[_HEADER.size :]))


def build(message: Icmpv4) -> bytes:
    """The message with its checksum."""
    value = checksum(_HEADER.pack(message.type, message.code, 0, message.word) + message.body)
    return _HEADER.pack(message.type, message.code, value, message.word) + message.body


def unreachable(code: int, original: bytes, next_hop_mtu: int = 0) -> bytes:
    """Destination Unreachable; ``next_hop_mtu`` (bytes) goes with Fragmentation Needed (RFC 1191 4)."""
    return build(Icmpv4(DESTINATION_UNREACHABLE, code, next_hop_mtu, original[:_QUOTE]))


def time_exceeded(original: bytes, code: int = 0) -> bytes:
    """Time Exceeded: code 0 in transit, 1 in reassembly."""
    return build(Icmpv4(TIME_EXCEEDED, code, 0, original[:_QUOTE]))
