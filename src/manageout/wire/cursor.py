"""The bounds-checked way to read bytes in order: past the end there is only :class:`WireError`."""

from __future__ import annotations

from manageout.errors import WireError


class Cursor:
    """Reads big-endian values from ``data``; ``what`` names it in messages."""

    __slots__ = ("_data", "_end", "_position", "_what")

    def __init__(self, data: bytes | memoryview, what: str = "packet") -> None:
        self._data = data
        self._what = what
        self._position = 0
        self._end = len(data)

    @property
    def remaining(self) -> int:
        """Bytes not yet read."""
        return self._end - self._position

    def _advance(self, count: int) -> int:
        start = self._position
        if count < 0 or start + count > self._end:
            raise WireError(f"truncated {self._what}: {count} bytes wanted, {self._end - start} left")
        self._position = start + count
        return start

    def u8(self) -> int:
        """Next byte."""
        return self._data[self._advance(1)]

    def u16(self) -> int:
        """Next 2 bytes."""
        return int.from_bytes(self.take(2), "big")

    def take(self, count: int) -> bytes:
        """Next ``count`` bytes."""
        start = self._advance(count)
        return bytes(self._data[start : start + count])

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes."""
        self._advance(count)

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.remaining)

    def sub(self, count: int) -> Cursor:
        """A cursor over the next ``count`` bytes, which this one passes over."""
        return Cursor(self.take(count), self._what)
