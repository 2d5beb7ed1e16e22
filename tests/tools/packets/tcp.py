"""TCP segments read; the product writes them only."""

from __future__ import annotations

from struct import Struct

from manageout.errors import WireError
from manageout.wire.checksum import checksum, pseudo
from manageout.wire.numbers import TCP
from manageout.wire.tcp import ACK, CWR, ECE, FIN, HEADER_LENGTH, PSH, RST, SYN, Tcp, build

__all__ = ["ACK", "CWR", "ECE", "FIN", "HEADER_LENGTH", "PSH", "RST", "SYN", "Tcp", "build", "parse"]

_HEADER = Struct("!HHIIHHHH")


def parse(src: bytes, dst: bytes, segment: bytes | memoryview) -> tuple[Tcp, bytes]:
    """Read a segment: header and payload. Raises :class:`WireError` for a wrong offset or checksum."""
    if len(segment) < HEADER_LENGTH:
        raise WireError(f"truncated TCP header: {len(segment)} bytes")
    source, destination, sequence, acknowledgement, word, window, _, urgent = _HEADER.unpack_from(segment)
    offset = (word >> 12) * 4
    if not HEADER_LENGTH <= offset <= len(segment):
        raise WireError(f"TCP data offset {offset} of {len(segment)} bytes")
    if checksum(segment, pseudo(src, dst, len(segment), TCP)):
        raise WireError("wrong TCP checksum")
    options = bytes(segment[HEADER_LENGTH:offset])
    header = Tcp(source, destination, sequence, acknowledgement, word & 0xFF, window, urgent, options)
    return header, bytes(segment[offset:])
