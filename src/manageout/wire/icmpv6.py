"""ICMPv6 messages and the errors we send (RFC 4443).

An error is made only where RFC 4443 2.4 (e) allows one: the functions return None otherwise. How often one
may be sent is the caller's business (2.4 (f)).
"""

from struct import Struct
from typing import NamedTuple

from manageout.errors import WireError
from manageout.wire import ipv6, numbers
from manageout.wire.checksum import checksum, pseudo

DESTINATION_UNREACHABLE, PACKET_TOO_BIG, TIME_EXCEEDED, PARAMETER_PROBLEM = 1, 2, 3, 4
ECHO_REQUEST, ECHO_REPLY = 128, 129
ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT = 133, 134
NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT, REDIRECT = 135, 136, 137

NO_ROUTE, PROHIBITED, BEYOND_SCOPE, ADDRESS_UNREACHABLE, PORT_UNREACHABLE, POLICY = range(6)
"""Codes of Destination Unreachable."""
HOP_LIMIT_EXCEEDED, REASSEMBLY_TIME_EXCEEDED = 0, 1
ERRONEOUS_HEADER, UNKNOWN_NEXT_HEADER, UNKNOWN_OPTION = 0, 1, 2
"""Codes of Parameter Problem."""

_HEADER = Struct("!BBH")
_WORD = Struct("!I")
_QUOTE = ipv6.MINIMUM_MTU - ipv6.HEADER_LENGTH - 8


class Icmpv6(NamedTuple):
    """A message; ``body`` is all that follows the checksum."""

    type: int
    code: int
    body: bytes

    @property
    def is_error(self) -> bool:
        """Types below 128 (RFC 4443 2.1)."""
        return self.type < 128


def parse(src: bytes, dst: bytes, segment: bytes | memoryview) -> Icmpv6:
    """Read a message and check its checksum. Raises :class:`WireError`."""
    if len(segment) < 4:
        raise WireError(f"truncated ICMPv6 message: {len(segment)} bytes")
    if checksum(segment, pseudo(src, dst, len(segment), numbers.ICMPV6)):
        raise WireError("wrong ICMPv6 checksum")
    return Icmpv6(segment[0], segment[1], bytes(segment[4:]))


def build(src: bytes, dst: bytes, kind: int, code: int, body: bytes) -> bytes:
    """A message with its checksum, without the IPv6 header."""
    sum_over = _HEADER.pack(kind, code, 0) + body
    value = checksum(sum_over, pseudo(src, dst, len(sum_over), numbers.ICMPV6))
    return _HEADER.pack(kind, code, value) + body


def unreachable(src: bytes, dst: bytes, code: int, original: bytes) -> bytes | None:
    """Destination Unreachable as an IPv6 packet, or None when no error may answer ``original``."""
    return _error(src, dst, DESTINATION_UNREACHABLE, code, 0, original)


def packet_too_big(src: bytes, dst: bytes, mtu: int, original: bytes) -> bytes | None:
    """Packet Too Big with ``mtu`` in bytes; may answer multicast, for Path MTU Discovery (2.4 (e.3))."""
    return _error(src, dst, PACKET_TOO_BIG, 0, mtu, original)


def time_exceeded(src: bytes, dst: bytes, original: bytes, code: int = HOP_LIMIT_EXCEEDED) -> bytes | None:
    """Time Exceeded, or None."""
    return _error(src, dst, TIME_EXCEEDED, code, 0, original)


def parameter_problem(src: bytes, dst: bytes, code: int, pointer: int, original: bytes) -> bytes | None:
    """Parameter Problem at byte ``pointer`` of ``original``, or None."""
    return _error(src, dst, PARAMETER_PROBLEM, code, pointer, original)


def _error(src: bytes, dst: bytes, kind: int, code: int, word: int, original: bytes) -> bytes | None:
    to_multicast = kind == PACKET_TOO_BIG or (kind == PARAMETER_PROBLEM and code == UNKNOWN_OPTION)
    if not _may_answer(original, to_multicast):
        return None
    # RFC 4443 2.4 (c): as much of the original as fits into the minimum MTU.
    body = _WORD.pack(word) + original[:_QUOTE]
    return ipv6.build(src, dst, numbers.ICMPV6, build(src, dst, kind, code, body))


def _may_answer(original: bytes, to_multicast: bool) -> bool:
    try:
        header = ipv6.parse_header(original)
        upper = ipv6.walk_extensions(original)
    except WireError:
        return False  # its source or its type cannot be known
    if header.src[0] == 0xFF or not any(header.src):  # 2.4 (e.6)
        return False
    if header.dst[0] == 0xFF and not to_multicast:  # 2.4 (e.3)
        return False
    if upper.next_header != numbers.ICMPV6:
        return True
    # 2.4 (e.1), (e.2): never to an error or a Redirect; a type that cannot be seen may be one.
    if (upper.fragment is not None and upper.fragment.offset) or upper.offset >= len(original):
        return False
    kind = original[upper.offset]
    return kind >= 128 and kind != REDIRECT
