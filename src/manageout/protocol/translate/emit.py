"""Translated packets put together, whole or in fragments (RFC 7915 4.1 and 5.1)."""

from struct import Struct
from typing import NamedTuple

from manageout.protocol.translate.whole import DF_LIMIT, HEADER4, PACK6, header4
from manageout.wire.ipv6 import Fragment
from manageout.wire.numbers import FRAGMENT

_FRAGMENT = Struct("!BBHI")
_FRAGMENT_ROOM = 48


class Out6(NamedTuple):
    """The IPv6 header of what goes out."""

    traffic_class: int
    hop_limit: int
    next_header: int
    src: bytes
    dst: bytes

    def packet(self, body: bytes) -> bytes:
        """One packet without a Fragment header."""
        return self._header(len(body), self.next_header) + body

    def fragments(self, body: bytes, offset: int, more: bool, ident: int, limit: int) -> list[bytes]:
        """``body``, which begins at ``offset`` (units of 8 bytes) of the datagram, in packets up to ``limit`` bytes.

        ``more``: it is not the datagram's end. The identification has 16 bits, as IPv4's.
        """
        room = (limit - _FRAGMENT_ROOM) // 8 * 8
        if len(body) + _FRAGMENT_ROOM <= limit:
            room = max(room, len(body))  # as it came, whatever its length
        packets = []
        for at in range(0, len(body) or 1, room):
            piece = body[at : at + room]
            follows = more or at + room < len(body)
            fragment = _FRAGMENT.pack(self.next_header, 0, (offset * 8 + at) & 0xFFF8 | follows, ident)
            packets.append(b"".join((self._header(8 + len(piece), FRAGMENT), fragment, piece)))
        return packets

    def _header(self, length: int, following: int) -> bytes:
        word = 0x6000_0000 | self.traffic_class << 20
        return PACK6.pack(word, length, following, self.hop_limit, self.src, self.dst)


class Out4(NamedTuple):
    """The IPv4 header of what goes out."""

    tos: int
    ttl: int
    protocol: int
    src: bytes
    dst: bytes

    def packet(self, body: bytes, ident: int, fragment: Fragment | None, split: bool) -> bytes:
        """One packet; ``fragment`` is what the IPv6 packet said, ``split`` that it was a fragment once."""
        if fragment is not None:
            return self._piece(body, fragment.ident & 0xFFFF, fragment.more << 13 | fragment.offset)
        large = HEADER4 + len(body) > DF_LIMIT and not split
        return self._piece(body, ident, 0x4000 if large else 0)

    def fragments(self, body: bytes, ident: int, fragment: Fragment | None, limit: int) -> list[bytes]:
        """``body`` in packets up to ``limit`` bytes, all without DF."""
        offset, more = (fragment.offset, fragment.more) if fragment is not None else (0, False)
        ident = fragment.ident & 0xFFFF if fragment is not None else ident
        room = (limit - HEADER4) // 8 * 8
        return [
            self._piece(
                body[at : at + room], ident, (more or at + room < len(body)) << 13 | offset + at // 8 & 0x1FFF
            )
            for at in range(0, len(body), room)
        ]

    def _piece(self, body: bytes, ident: int, word: int) -> bytes:
        header = header4(
            self.tos, HEADER4 + len(body), ident, word, self.ttl, self.protocol, self.src, self.dst
        )
        return header + body
