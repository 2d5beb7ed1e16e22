"""The framing rule of the stock stream, written plainly ([MS-IPHTTPS] 3.1.5.3): the twin of ``offload.join``."""

from __future__ import annotations

from manageout.errors import OversizeError, WireError


class PacketFramer:
    """Splits a stream into IPv6 packets; nothing but the Payload Length marks their ends."""

    __slots__ = ("_limit", "_pending", "_wanted")

    def __init__(self, max_packet: int) -> None:
        """``max_packet``: bytes, header included, that one packet may announce."""
        self._limit = max_packet
        self._pending = bytearray()
        self._wanted = 0

    @property
    def pending(self) -> int:
        """Bytes held of a packet that is not yet whole."""
        return len(self._pending)

    def feed(self, data: bytes | memoryview) -> list[bytes]:
        """The packets that ``data`` completes, in order.

        Raises :class:`WireError` at a byte that cannot begin an IPv6 packet, or at a length over the limit.
        The stream cannot be followed behind it.
        """
        if self._pending:
            self._pending += data
            if len(self._pending) < self._wanted:
                return []
            data = bytes(self._pending)
            self._pending.clear()
        elif type(data) is not bytes:
            data = bytes(data)
        packets: list[bytes] = []
        start, end = 0, len(data)
        size = 6
        while start < end:
            if data[start] >> 4 != 6:
                raise WireError(f"not IPv6: version {data[start] >> 4} in the stream")
            if end - start < 6:
                size = 6
                break
            size = 40 + (data[start + 4] << 8 | data[start + 5])
            if size > self._limit:
                raise OversizeError(size, self._limit)
            if end - start < size:
                break
            packets.append(data[start : start + size])
            start += size
        if start < end:
            self._pending += data[start:]
            self._wanted = size
        return packets
