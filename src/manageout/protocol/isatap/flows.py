"""The slow path's short cut: a packet just like one that :class:`LinkState` has let through goes the same way.

Every verdict on a TCP or UDP packet follows from its addresses, its ECN marks and its lengths, so these are all
that is looked at. Whatever is not quite plain is left to the rules themselves; a test holds both equal.
"""

from manageout.protocol.core.drops import Verdict
from manageout.protocol.isatap.link import LinkState, Result, outer_header
from manageout.wire.numbers import TCP, UDP

MAX_FLOWS = 4096
_PLAIN = frozenset({TCP, UDP})
_OUTER, _INNER = 20, 40


class Flows:
    """Wraps a link; to be made anew whenever the link is configured, or a host of it moves."""

    def __init__(self, link: LinkState) -> None:
        self.link = link
        self._arriving: set[bytes] = set()
        self._leaving: dict[bytes, tuple[bytes, bytes]] = {}

    def decapsulate(self, outer: bytes) -> Result:
        """As ``LinkState.decapsulate(outer, complete=True)``."""
        key = outer[12:20] + outer[28:60]  # both pairs of addresses
        plain = (
            len(outer) >= _OUTER + _INNER
            and outer[0] == 0x45
            and outer[9] == 41
            and not (outer[6] & 0x3F or outer[7])
            and outer[20] >> 4 == 6
            and outer[26] in _PLAIN
            and outer[1] & 3 == outer[21] >> 4 & 3
            and (outer[2] << 8 | outer[3]) == len(outer) == _OUTER + _INNER + (outer[24] << 8 | outer[25])
            and int.from_bytes(outer[:20], "big") % 0xFFFF == 0
        )
        if plain and key in self._arriving:
            return Result(Verdict.FORWARD, None, outer[_OUTER:], outer[12:16])
        result = self.link.decapsulate(outer, complete=True)
        if plain and result.verdict is Verdict.FORWARD:
            if len(self._arriving) >= MAX_FLOWS:
                self._arriving.clear()
            self._arriving.add(key)
        return result

    def encapsulate(self, inner: bytes, ident: int) -> Result:
        """As ``LinkState.encapsulate(inner, ident, complete=True)``."""
        size = len(inner)
        plain = (
            size >= _INNER
            and inner[0] >> 4 == 6
            and inner[6] in _PLAIN
            and size == _INNER + (inner[4] << 8 | inner[5])
        )
        key = inner[8:40]
        ends = self._leaving.get(key) if plain else None
        if ends is not None:
            locator, peer = ends
            header = outer_header(locator, peer, _OUTER + size, inner[1] >> 4 & 3, ident)
            return Result(Verdict.FORWARD, None, header + inner, peer)
        result = self.link.encapsulate(inner, ident, complete=True)
        if plain and result.verdict is Verdict.FORWARD:
            if len(self._leaving) >= MAX_FLOWS:
                self._leaving.clear()
            self._leaving[key] = result.packet[12:16], result.peer
        return result
