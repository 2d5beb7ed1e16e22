"""UDP over IPv4 and IPv6 (RFC 768, RFC 8200 8.1); the address length says which.

The two pseudo-headers sum alike, because a sum does not see how wide its fields are.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from manageout.errors import WireError
from manageout.wire.checksum import checksum, pseudo, transport_checksum
from manageout.wire.numbers import UDP

HEADER_LENGTH = 8

_HEADER = Struct("!HHHH")


class Udp(NamedTuple):
    """Ports of a datagram."""

    source: int
    destination: int


def parse(src: bytes, dst: bytes, segment: bytes | memoryview) -> tuple[Udp, bytes]:
    """Read a datagram: ports, and payload cut to the UDP length.

    Raises :class:`WireError` for a wrong length or checksum; checksum 0 means none over IPv4 and is an error
    over IPv6.
    """
    if len(segment) < HEADER_LENGTH:
        raise WireError(f"truncated UDP header: {len(segment)} bytes")
    source, destination, length, value = _HEADER.unpack_from(segment)
    if not HEADER_LENGTH <= length <= len(segment):
        raise WireError(f"UDP length {length} of {len(segment)} bytes")
    if not value and len(src) == 16:
        raise WireError("UDP over IPv6 without a checksum")
    if value and checksum(segment[:length], pseudo(src, dst, length, UDP)):
        raise WireError("wrong UDP checksum")
    return Udp(source, destination), bytes(segment[HEADER_LENGTH:length])


def build(src: bytes, dst: bytes, source: int, destination: int, payload: bytes) -> bytes:
    """A datagram with its checksum. Raises :class:`WireError` for a payload over 65527 bytes."""
    length = HEADER_LENGTH + len(payload)
    if length > 0xFFFF:
        raise WireError(f"UDP payload of {len(payload)} bytes")
    value = transport_checksum(src, dst, UDP, _HEADER.pack(source, destination, length, 0) + payload)
    return _HEADER.pack(source, destination, length, value) + payload
