"""Extensions of ICMP errors (RFC 4884), and the one object that the translator adds (RFC 5837).

An extended error carries the length of its quotation: in words of 4 bytes in the second byte behind the
checksum (ICMPv4), in words of 8 bytes in the first (ICMPv6). The quotation has then at least 128 bytes.
"""

from __future__ import annotations

from struct import Struct

from manageout.wire.checksum import checksum

SHORTEST_QUOTE = 128
_HEADER = Struct("!HH")
_OBJECT = Struct("!HBBHH16s")
_VERSION = 2 << 12
_INTERFACE_INFORMATION = 2
_WITH_ADDRESS = 4  # C-Type: role "interface it arrived on", IP address sub-object present
_AFI_IPV6 = 2


def split(body: bytes, length: int) -> tuple[bytes, bytes]:
    """Quotation and extension of the body of an error, whose length field says ``length`` bytes (0: no extension).

    A length that leaves no extension, or one that is not of version 2, is taken for a sender older than RFC 4884:
    all of it is quotation (5.5).
    """
    if length and len(body) - length >= _HEADER.size and body[length] >> 4 == 2:
        return body[:length], body[length:]
    return body, b""


def join(quotation: bytes, extension: bytes, room: int, unit: int) -> tuple[bytes, int]:
    """Body of an error within ``room`` bytes, and its length field in units of ``unit`` bytes.

    The quotation is cut, or filled with zeros (RFC 4884 4). An extension that leaves no room for the shortest
    quotation is left out, because a part of one is worth nothing.
    """
    space = (room - len(extension)) // unit * unit
    if not extension or space < SHORTEST_QUOTE:
        return quotation[:room], 0
    quotation = quotation[:space]
    length = max(SHORTEST_QUOTE, -(-len(quotation) // unit) * unit)
    return quotation + bytes(length - len(quotation)) + extension, length // unit


def with_interface(extension: bytes, v6: bytes) -> bytes:
    """``extension`` (or none) with an Interface Information Object that names IPv6 address ``v6`` (RFC 5837 4.1)."""
    added = _OBJECT.pack(_OBJECT.size, _INTERFACE_INFORMATION, _WITH_ADDRESS, _AFI_IPV6, 0, v6)
    objects = extension[_HEADER.size :] + added
    value = checksum(_HEADER.pack(_VERSION, 0) + objects)
    return _HEADER.pack(_VERSION, value) + objects
