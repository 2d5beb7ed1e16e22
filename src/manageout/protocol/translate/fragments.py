"""Fragments that must be put together before they can be translated, within bounds.

Only ICMP and UDP without a checksum need it: everything else is translated fragment by fragment. A datagram whose
fragments overlap is thrown away whole (RFC 5722 3), so is one that is not complete in time.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field

from manageout.protocol.core.drops import Drop

TIMEOUT = 4.0
"""Seconds; RFC 6146 4 asks for at least 2."""
MAX_DATAGRAMS = 256
MAX_PER_SOURCE = 16
MAX_BYTES = 4 << 20
MAX_PIECES = 128
LARGEST = 65535 - 20
"""Bytes of payload that fit behind either header: the length of IPv4's counts the header, that of IPv6's does not."""


@dataclass(slots=True)
class _Datagram:
    born: float
    source: bytes
    pieces: dict[int, bytes] = field(default_factory=dict)
    held: int = 0
    end: int | None = None


class Fragments:
    """Datagrams that wait for their missing pieces."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, _Datagram] = {}
        self.held = 0
        """Bytes that wait."""
        self._sources: dict[bytes, int] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._waiting

    def timer(self) -> float | None:
        """When :meth:`expire` has something to do."""
        for datagram in self._waiting.values():
            return datagram.born + TIMEOUT
        return None

    def expire(self, now: float) -> int:
        """Throw away what has waited too long; how many datagrams that were."""
        late = [key for key, datagram in self._waiting.items() if datagram.born + TIMEOUT <= now]
        for key in late:
            self._forget(key)
        return len(late)

    def add(
        self, key: Hashable, source: bytes, offset: int, more: bool, data: bytes, now: float
    ) -> bytes | Drop | None:
        """One fragment, ``offset`` in bytes: the whole payload, why it was thrown away, or None to wait.

        ``key`` names the datagram (addresses, protocol, identification); ``source`` is who has to bear the limit.
        """
        end = offset + len(data)
        if end > LARGEST or (more and (len(data) % 8 or not data)):
            return Drop.MALFORMED
        datagram = self._waiting.get(key)
        if datagram is None:
            if len(self._waiting) >= MAX_DATAGRAMS or self._sources.get(source, 0) >= MAX_PER_SOURCE:
                return Drop.FRAGMENTS_FULL
            datagram = self._waiting[key] = _Datagram(now, source)
            self._sources[source] = self._sources.get(source, 0) + 1
        if datagram.pieces.get(offset) == data:
            return None  # a duplicate
        if self.held + len(data) > MAX_BYTES or len(datagram.pieces) >= MAX_PIECES:
            self._forget(key)
            return Drop.FRAGMENTS_FULL
        if self._overlaps(datagram, offset, end, more):
            self._forget(key)
            return Drop.FRAGMENT_OVERLAP
        datagram.pieces[offset] = data
        datagram.held += len(data)
        self.held += len(data)
        if not more:
            datagram.end = end
        if datagram.held != datagram.end:
            return None
        # No overlap and as many bytes as the last piece says: nothing is missing.
        self._forget(key)
        return b"".join(datagram.pieces[at] for at in sorted(datagram.pieces))

    @staticmethod
    def _overlaps(datagram: _Datagram, offset: int, end: int, more: bool) -> bool:
        if datagram.end is not None and (not more or end > datagram.end):
            return True
        pieces = datagram.pieces.items()
        if not more and any(at + len(piece) > end for at, piece in pieces):
            return True
        return any(offset < at + len(piece) and at < end for at, piece in pieces)

    def _forget(self, key: Hashable) -> None:
        datagram = self._waiting.pop(key)
        self.held -= datagram.held
        left = self._sources[datagram.source] - 1
        if left:
            self._sources[datagram.source] = left
        else:
            del self._sources[datagram.source]
