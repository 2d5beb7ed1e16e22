"""The Internet checksum (RFC 1071).

A big-endian integer modulo 0xffff is its ones' complement word sum, because 2**16 = 1 (mod 0xffff). Zero has
two names in that arithmetic: a sum is 0 only when every word was 0, and 0xffff otherwise.
"""

from functools import cache

from manageout.wire.numbers import UDP

_LONG = 2048

Buffer = bytes | bytearray | memoryview


def _fold(total: int) -> int:
    # Adding the halves of a long number keeps its remainder, and is much quicker than the division.
    while (bits := total.bit_length()) > _LONG:
        half = (bits + 31) // 32 * 16
        total = (total >> half) + (total & _ones(half))
    return total and (total % 0xFFFF or 0xFFFF)


@cache
def _ones(bits: int) -> int:
    return (1 << bits) - 1


def _words(data: Buffer) -> int:
    value = int.from_bytes(data, "big")
    return value << 8 if len(data) & 1 else value


def sum16(data: Buffer) -> int:
    """The ones' complement sum of the 16-bit words of ``data`` (an odd last byte is padded with zero)."""
    return _fold(_words(data))


def checksum(data: Buffer, initial: int = 0) -> int:
    """The value to put into a header whose checksum field is zero in ``data``.

    ``initial``: a partial sum, as of :func:`pseudo`. Over data with its checksum in place, the result is 0
    when that checksum is right.
    """
    return 0xFFFF - _fold(_words(data) + initial)


def pseudo(src: bytes, dst: bytes, length: int, protocol: int) -> int:
    """Partial sum of the pseudo-header of IPv6 (RFC 8200 8.1) or IPv4 (RFC 9293 3.1), not folded.

    The two sum alike, because a sum does not see how wide its fields are.
    """
    return int.from_bytes(src, "big") + int.from_bytes(dst, "big") + length + protocol


def transport_checksum(src: bytes, dst: bytes, protocol: int, segment: Buffer) -> int:
    """Checksum of ``segment`` (its field zero); UDP never gets 0, which means none (RFC 768, RFC 8200 8.1)."""
    return checksum(segment, pseudo(src, dst, len(segment), protocol)) or (0xFFFF if protocol == UDP else 0)
