"""A stock stream into packets and super-packets for a TUN device, at a fraction of a microsecond a packet.

Nothing but the Payload Length marks the ends of packets ([MS-IPHTTPS] 3.1.5.3, 3.2.5.2). In bulk transfer a stretch of
the stream is a run: TCP segments of one flow with one length, whose headers differ in nothing but sequence number,
checksum and a last PSH. One regular expression with back-references finds the end of a run, at the speed of C, and the
run is joined into one super-packet as the kernel's GRO would, with one difference: the segments' checksums are not
looked at. TLS has already vouched for every byte since the sender (``docs/adr/0006-iphttps-throughput.md``).
"""

import re
from struct import Struct, pack

from manageout.errors import OversizeError, WireError
from manageout.protocol.offload.cut import MAX_LENGTH, MTU
from manageout.wire.checksum import pseudo
from manageout.wire.numbers import TCP
from manageout.wire.virtio import GSO_TCPV6, HEADER, NEEDS_CSUM, PLAIN

_IPV6 = 40
_WORD = Struct("!H")
_SEQUENCE = Struct("!I")
SIZE = MTU
"""Bytes of a packet that may be part of a run: in bulk transfer all are as long as the link allows."""
_ACK, _ACK_PSH = 0x10, 0x18
_ALIKE = ((0, 4), (6, 44), (48, 53), (54, 56))
"""Fields that all segments of a run have alike, payload length and everything behind the checksum left out."""
_FEWEST = 3
"""Packets that are worth joining."""


class StockStream:
    """Splits a stream; every item has a ``virtio_net_hdr`` in front, or nothing."""

    __slots__ = ("_header", "_limit", "_pending", "_wanted", "joins")

    def __init__(self, limit: int, joins: bool = True, vnet_hdr: bool = True) -> None:
        """``limit``: bytes, header included, that one packet may announce; ``joins``: make super-packets.

        Without ``vnet_hdr`` there are only packets.
        """
        self._limit = limit
        self._header = PLAIN if vnet_hdr else b""
        self._pending = b""
        self._wanted = 0
        self.joins = joins and vnet_hdr

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
        start, end, limit, joins, header = 0, len(whole), self._limit, self.joins, self._header
        while start < end:
            if whole[start] >> 4 != 6:
                raise WireError(f"not IPv6: version {whole[start] >> 4} in the stream")
            if end - start < 6:
                break
            size = _IPV6 + (whole[start + 4] << 8 | whole[start + 5])
            if size > limit:
                raise OversizeError(size, limit)
            after = start + size
            if after > end:
                self._wanted = size
                break
            # Cheap signs of a run: full-sized TCP, and two more of the same flow behind it.
            if (
                size == SIZE
                and joins
                and after + 2 * SIZE <= end
                and whole[start + 6] == TCP
                and whole[start : start + 44] == whole[after : after + 44]
            ):
                count, length = run(whole, start, end)
                if count >= _FEWEST:
                    tail = start + count * SIZE
                    after = tail + _shorter(whole, start, tail, length, end)
                    items.append(join(whole, start, length, tail, after))
                    start = after
                    continue
            items.append(header + whole[start:after] if header else whole[start:after])
            start = after
        if start < end:
            self._pending = whole[start:]
        return items


def _patterns() -> dict[int, tuple[re.Pattern[bytes], tuple[slice, ...]]]:
    """By header length: segments alike but for sequence number and checksum, of which only the last may have PSH;
    and where their payloads are, from the beginning of a run on."""
    made = {}
    for header in range(_IPV6 + 20, _IPV6 + 64, 4):
        payload = SIZE - header
        most = (MAX_LENGTH - header) // payload
        again = rb"\1.{4}\2%b\3..\4.{%d}"
        first = rb"(.{44}).{4}(.{5})\x10(..)..(.{%d}).{%d}" % (header - 58, payload)
        further = rb"(?:%b){0,%d}+" % (again % (rb"\x10", payload), most - 1)
        last = rb"(?:%b)?" % (again % (rb"\x18", payload))
        payloads = tuple(slice(at + header, at + SIZE) for at in range(0, most * SIZE, SIZE))
        made[header] = re.compile(first + further + last, re.DOTALL), payloads
    return made


_PATTERNS = _patterns()


def run(whole: bytes, start: int, end: int) -> tuple[int, int]:
    """How many full-sized packets from ``start`` on are consecutive segments of one flow; their header's length."""
    header = _IPV6 + (whole[start + 52] >> 4) * 4
    if header not in _PATTERNS:
        return 1, 0
    pattern, payloads = _PATTERNS[header]
    found = pattern.match(whole, start, end)
    if found is None:
        return 1, 0
    count = min((found.end() - start) // SIZE, len(payloads))
    sequences = bytes(memoryview(whole)[start : start + count * SIZE].cast("I")[11 :: SIZE // 4])
    first = _SEQUENCE.unpack_from(sequences)[0]
    payload = SIZE - header
    # Where the numbers wrap, the run ends as well.
    count = min(count, ((1 << 32) - first - 1) // payload + 1)
    wanted = pack(f"!{count}I", *range(first, first + count * payload, payload))
    if sequences[: 4 * count] != wanted:
        differing = (n for n in range(count) if sequences[4 * n : 4 * n + 4] != wanted[4 * n : 4 * n + 4])
        count = next(differing, count)
    return count, header


def _shorter(whole: bytes, start: int, tail: int, header: int, end: int) -> int:
    """Bytes of the packet at ``tail`` if it is a shorter segment that ends the run from ``start``; else 0."""
    if end - tail < header or whole[tail - SIZE + 53] != _ACK:
        return 0
    size = _IPV6 + (whole[tail + 4] << 8 | whole[tail + 5])
    after = _SEQUENCE.unpack_from(whole, tail - SIZE + 44)[0] + SIZE - header
    ends = (
        header < size < SIZE
        and tail + size <= end
        and (tail - start) // SIZE * (SIZE - header) + size <= MAX_LENGTH
        and _SEQUENCE.unpack_from(whole, tail + 44)[0] == after
        and whole[tail + 53] in (_ACK, _ACK_PSH)
        and all(whole[tail + a : tail + b] == whole[start + a : start + b] for a, b in _ALIKE)
        and whole[tail + 58 : tail + header] == whole[start + 58 : start + header]
    )
    return size if ends else 0


def join(whole: bytes, start: int, header: int, tail: int, end: int) -> bytes:
    """The super-packet of full-sized segments and, from ``tail`` to ``end``, perhaps a shorter one."""
    count = (tail - start) // SIZE
    last = tail if end > tail else tail - SIZE
    rest = (memoryview(whole)[tail + header : end],) if end > tail else ()
    payload = SIZE - header
    length = header - _IPV6 + count * payload + sum(map(len, rest))
    partial = pseudo(whole[start + 8 : start + 24], whole[start + 24 : start + 40], length, TCP) % 0xFFFF
    head = (
        HEADER.pack(NEEDS_CSUM, GSO_TCPV6, header, payload, _IPV6, 16),
        whole[start : start + 4],
        _WORD.pack(length),
        whole[start + 6 : start + 53],
        whole[last + 53 : last + 54],
        whole[start + 54 : start + 56],
        _WORD.pack(partial or 0xFFFF),
        whole[start + 58 : start + header],
    )
    take = memoryview(whole)[start:tail].__getitem__
    return b"".join((*head, *map(take, _PATTERNS[header][1][:count]), *rest))
