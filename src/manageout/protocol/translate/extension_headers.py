"""The walk over IPv6 extension headers as a translator does it (RFC 7915 5.1).

Hop-by-Hop Options, Routing and Destination Options are skipped, a Fragment header is translated, and whatever else
comes is the IPv4 protocol, an Authentication header too: that is why this is not ``wire.ipv6.walk_extensions``.
"""

from typing import NamedTuple

from manageout.errors import WireError
from manageout.wire.ipv6 import HEADER_LENGTH, MAX_EXTENSIONS, Fragment, parse_header
from manageout.wire.numbers import EXTENSIONS, FRAGMENT, HOP_BY_HOP, ROUTING, SKIPPED


class Chain(NamedTuple):
    """``next_header`` begins at ``offset`` from the packet's start."""

    next_header: int
    offset: int
    fragment: Fragment | None
    segments_left_at: int | None
    """Where a Routing header's Segments Left stands that is not 0."""
    behind_fragment: bool
    """An extension header other than ESP follows the Fragment header."""


def walk(packet: bytes) -> Chain:
    """Raises :class:`WireError` when a header runs past the end, or for too many headers."""
    header = parse_header(packet)
    end = min(len(packet), HEADER_LENGTH + header.payload_length)
    kind, offset = header.next_header, HEADER_LENGTH
    segments_left_at: int | None = None
    for _ in range(MAX_EXTENSIONS + 1):
        if kind not in SKIPPED and kind != FRAGMENT:
            return Chain(kind, offset, None, segments_left_at, False)
        if offset + 8 > end or (kind == HOP_BY_HOP and offset != HEADER_LENGTH):
            raise WireError(f"IPv6 extension header {kind} is cut off or out of place")
        following = packet[offset]
        if kind == FRAGMENT:
            word = packet[offset + 2] << 8 | packet[offset + 3]
            fragment = Fragment(
                word >> 3, bool(word & 1), int.from_bytes(packet[offset + 4 : offset + 8], "big")
            )
            # The data of a later fragment is no header, but its next header field still says what came first.
            return Chain(following, offset + 8, fragment, segments_left_at, following in EXTENSIONS)
        if kind == ROUTING and packet[offset + 3] and segments_left_at is None:
            segments_left_at = offset + 3
        offset += (packet[offset + 1] + 1) * 8
        if offset > end:
            raise WireError(f"truncated IPv6 extension header {kind}")
        kind = following
    raise WireError("too many IPv6 extension headers")
