"""A stock stream into packets and super-packets for a TUN device, at a fraction of a microsecond a packet.

The framing rule is :class:`manageout.wire.iphttps.PacketFramer`'s. In bulk transfer a stretch of the stream is a
run: TCP segments of one flow with one length, whose headers differ in nothing but sequence number, checksum and
a last PSH. Such a run is compared column by column, four bytes of every packet at once, and joined into one
super-packet as the kernel's GRO would, with one difference: the segments' checksums are not looked at. TLS has
already vouched for every byte since the sender (``docs/adr/0003-iphttps-throughput.md``).
"""

from __future__ import annotations

from struct import Struct, pack

from manageout.errors import WireError
from manageout.protocol.segment import GSO_TCPV6, HEADER, MAX_LENGTH, NEEDS_CSUM, PLAIN
from manageout.wire.checksum import pseudo6
from manageout.wire.ipv6 import TCP

_IPV6 = 40
_ACK, _ACK_PSH = 0x10, 0x18
_WORD = Struct("!H")
_SEQUENCE = Struct("!I")
_FEWEST = 3
"""Packets that are worth comparing by columns."""
_ALIKE = (0, 1, *range(2, 10), 10, 12)
"""Words of 4 bytes that a run has alike: first and second of IPv6, addresses, ports, acknowledgment."""


class StockStream:
    """Splits a stream; every item has a ``virtio_net_hdr`` in front."""

    __slots__ = ("_limit", "_pending", "_wanted", "joins")

    def __init__(self, limit: int, joins: bool = True) -> None:
        """``limit``: bytes, header included, that one packet may announce; ``joins``: make super-packets."""
        self._limit = limit
        self._pending = b""
        self._wanted = 0
        self.joins = joins

    @property
    def pending(self) -> int:
        """Bytes held of a packet that is not yet whole."""
        return len(self._pending)

    def feed(self, data: bytes | memoryview) -> list[bytes]:
        """The packets that ``data`` completes, in order.

        Raises :class:`WireError` at a byte that cannot begin an IPv6 packet, or at a length over the limit.
        """
        whole = b"".join((self._pending, data)) if self._pending else bytes(data)
        self._pending = b""
        if len(whole) < self._wanted:
            self._pending = whole
            return []
        self._wanted = 0
        items: list[bytes] = []
        start, end, limit, joins = 0, len(whole), self._limit, self.joins
        while start < end:
            if whole[start] >> 4 != 6:
                raise WireError(f"not IPv6: version {whole[start] >> 4} in the stream")
            if end - start < 6:
                break
            size = _IPV6 + (whole[start + 4] << 8 | whole[start + 5])
            if size > limit:
                raise WireError(f"oversize packet: {size} bytes, at most {limit}")
            after = start + size
            if after > end:
                self._wanted = size
                break
            # Cheap signs of a run: TCP, and the same flow and length behind it.
            second = after + size
            if (
                joins
                and second + size <= end
                and whole[start + 6] == TCP
                and whole[start : start + 44] == whole[after : after + 44]
            ):
                count = _run(whole, start, size, end)
                if count >= _FEWEST:
                    items.append(_join(whole, start, size, count))
                    start += count * size
                    continue
            items.append(PLAIN + whole[start:after])
            start = after
        if start < end:
            self._pending = whole[start:]
        return items


def _run(whole: bytes, start: int, size: int, end: int) -> int:
    """How many packets from ``start`` on, each of ``size`` bytes, are consecutive segments of one flow."""
    header = _IPV6 + (whole[start + 52] >> 4) * 4
    payload = size - header
    if payload <= 0 or header < _IPV6 + 20 or whole[start + 53] != _ACK or size % 4:
        return 1
    count = min((end - start) // size, (MAX_LENGTH - header) // payload)
    words, step = memoryview(whole)[start : start + count * size].cast("I"), size // 4
    # Sequence numbers first, they end a run most often; where they wrap, it ends as well.
    first = _SEQUENCE.unpack_from(whole, start + 44)[0]
    count = min(count, ((1 << 32) - first - 1) // payload + 1)
    wanted = pack(f"!{count}I", *range(first, first + count * payload, payload))
    count = _equal(bytes(words[11 : count * step : step]), wanted)
    # Offset, flags, window; a PSH ends a run.
    found = bytes(words[13 : count * step : step])
    psh = found[1::4].find(_ACK_PSH)
    if psh >= 0:
        count = psh + 1
        found = found[: 4 * psh + 1] + whole[start + 53 : start + 54] + found[4 * psh + 2 : 4 * psh + 4]
    count = _equal(found, whole[start + 52 : start + 56] * count)
    for word in (*_ALIKE, *range(15, header // 4)):
        same = whole[start + 4 * word : start + 4 * word + 4] * count
        count = _equal(bytes(words[word : count * step : step]), same)
    # Beside the checksum stands the urgent pointer.
    for byte in (58, 59):
        column = whole[start + byte : start + count * size : size]
        count = len(column) - len(column.lstrip(column[:1]))
    return count


def _equal(found: bytes, wanted: bytes) -> int:
    """How many words of 4 bytes, from the first on, are the same."""
    if found == wanted:
        return len(found) // 4
    difference = int.from_bytes(found, "big") ^ int.from_bytes(wanted, "big")
    return (len(found) * 8 - difference.bit_length()) // 32


def _join(whole: bytes, start: int, size: int, count: int) -> bytes:
    """The super-packet of ``count`` segments, with its ``virtio_net_hdr``."""
    header = _IPV6 + (whole[start + 52] >> 4) * 4
    payload = size - header
    end = start + count * size
    length = header - _IPV6 + count * payload
    partial = pseudo6(whole[start + 8 : start + 24], whole[start + 24 : start + 40], length, TCP) % 0xFFFF
    flags = end - size + 53
    head = (
        HEADER.pack(NEEDS_CSUM, GSO_TCPV6, header, payload, _IPV6, 16),
        whole[start : start + 4],
        _WORD.pack(length),
        whole[start + 6 : start + 53],
        whole[flags : flags + 1],
        whole[start + 54 : start + 56],
        _WORD.pack(partial or 0xFFFF),
        whole[start + 58 : start + header],
    )
    view = memoryview(whole)
    payloads = [view[at : at + payload] for at in range(start + header, end, size)]
    return b"".join((*head, *payloads))
