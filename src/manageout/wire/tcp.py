"""The TCP header over IPv4 and IPv6 (RFC 9293 3.1)."""

from struct import Struct
from typing import NamedTuple

from manageout.errors import WireError
from manageout.wire.checksum import checksum, pseudo
from manageout.wire.numbers import TCP

HEADER_LENGTH = 20
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))

_HEADER = Struct("!HHIIHHHH")


class Tcp(NamedTuple):
    """A TCP header; ``flags`` are the low 8 control bits, ``options`` raw and padded."""

    source: int
    destination: int
    sequence: int
    acknowledgement: int
    flags: int
    window: int
    urgent: int
    options: bytes


def build(src: bytes, dst: bytes, header: Tcp, payload: bytes = b"") -> bytes:
    """A segment with its checksum. Raises :class:`WireError` for options that do not fit."""
    size = len(header.options)
    if size % 4 or size > 40:
        raise WireError(f"{size} bytes of TCP options: not a multiple of 4 up to 40")
    word = (HEADER_LENGTH + size) // 4 << 12 | header.flags

    def pack(value: int) -> bytes:
        fixed = (header.source, header.destination, header.sequence, header.acknowledgement)
        return _HEADER.pack(*fixed, word, header.window, value, header.urgent) + header.options

    length = HEADER_LENGTH + size + len(payload)
    return pack(checksum(pack(0) + payload, pseudo(src, dst, length, TCP))) + payload
