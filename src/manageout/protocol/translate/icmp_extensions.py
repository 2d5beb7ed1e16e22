"""Extensions of ICMP errors (RFC 4884), and the one object that the translator adds (RFC 5837).

An extended error carries the length of its quotation: in words of 4 bytes in the second byte behind the
checksum (ICMPv4), in words of 8 bytes in the first (ICMPv6). The quotation has then at least 128 bytes.
"""

from struct import Struct

from manageout.wire.checksum import checksum

SHORTEST_QUOTE = 128
_HEADER = Struct("!HH")
_OBJECT = Struct("!HBBHH16s")
_OBJECT_HEADER = 4
_VERSION = 2 << 12
_WITHOUT_CHECKSUM = _HEADER.pack(_VERSION, 0)
_INTERFACE_INFORMATION = 2
_WITH_ADDRESS = 4  # C-Type: role "interface it arrived on", IP address sub-object present
_AFI_IPV6 = 2


def split(body: bytes, length: int, header: int) -> tuple[bytes, bytes]:
    """Quotation and extension of the body of an error, whose length field says ``length`` bytes.

    What the extension says, and in which version, is its reader's business (RFC 7915 4.2, 5.2: opaque). Routers older
    than RFC 4884 leave the field 0, others do not count the filling: then an extension whose checksum is right
    may stand behind 128 bytes (5.5). A length that leaves none, or no IP header of ``header`` bytes, says nothing.
    """
    if length < SHORTEST_QUOTE and _is_right(body[SHORTEST_QUOTE:]):
        length = SHORTEST_QUOTE
    if length >= header and len(body) - length >= _HEADER.size:
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
    """``extension`` (or none) with an Interface Information Object that names IPv6 address ``v6`` (RFC 5837 4.1).

    As it is, if it is of another version, is damaged, or names an interface in the same role already.
    """
    if extension and not _can_take_an_interface(extension):
        return extension
    added = _OBJECT.pack(_OBJECT.size, _INTERFACE_INFORMATION, _WITH_ADDRESS, _AFI_IPV6, 0, v6)
    objects = extension[_HEADER.size :] + added
    return _HEADER.pack(_VERSION, checksum(_WITHOUT_CHECKSUM + objects)) + objects


def _is_right(extension: bytes) -> bool:
    """Version and checksum, which must be there."""
    return (
        len(extension) >= _HEADER.size
        and extension[0] >> 4 == _VERSION >> 12
        and extension[2:4] != b"\0\0"
        and not checksum(extension)
    )


def _can_take_an_interface(extension: bytes) -> bool:
    if not (extension[:4] == _WITHOUT_CHECKSUM or _is_right(extension)):
        return False
    at = _HEADER.size
    while at < len(extension):
        length = extension[at] << 8 | extension[at + 1] if at + _OBJECT_HEADER <= len(extension) else 0
        if not _OBJECT_HEADER <= length <= len(extension) - at:
            return False
        # The role is the upper two bits of the C-Type, 0 for the interface that the packet arrived on.
        if extension[at + 2] == _INTERFACE_INFORMATION and not extension[at + 3] >> 6:
            return False
        at += length
    return True
