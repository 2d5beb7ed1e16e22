"""Super-packets of a TUN device, taken apart: what a network card does elsewhere. Joining is ``stock_stream``'s.

A super-packet is up to 64 KiB of one TCP or UDP flow with one header, behind a ``virtio_net_hdr``. A peer with stock
framing, or a path that cannot carry them, gets packets instead.
"""

from collections.abc import Callable, Iterator, Sequence
from struct import Struct

from manageout.errors import WireError
from manageout.wire import virtio
from manageout.wire.checksum import checksum, pseudo
from manageout.wire.ipv6 import walk_extensions
from manageout.wire.numbers import TCP, UDP

MTU = 1280
"""Of the links whose packets come here: bytes, the least of IPv6 (RFC 8200 5; [MS-IPHTTPS] 3.2.3.1)."""
MAX_LENGTH = 65535
"""Bytes of a super-packet, its IPv6 header included."""
MAX_SEGMENTS = 128
"""Packets that one super-packet of a peer may become: 64 KiB at the smallest usual segment size of 536."""

_IPV6 = 40
_CHECKSUM_AT = {TCP: 16, UDP: 6}
_GSO_PROTOCOL = {virtio.GSO_TCPV6: TCP, virtio.GSO_UDP_L4: UDP}
_WORD = Struct("!H")
_SEQUENCE = Struct("!I")
_FIN_PSH, _CWR = 0x09, 0x80


def harmless(data: bytes) -> bool:
    """Whether the kernel may be given a packet with the ``virtio_net_hdr`` that a peer wrote.

    The kernel puts a checksum wherever the header tells it to, which could be over a source address that was
    checked, and cuts as finely as it is told to, which would multiply packets.
    """
    if data.startswith(virtio.PLAIN):
        return True
    flags, gso_type, _, size, start, offset = virtio.HEADER.unpack_from(data)
    kind = gso_type & ~virtio.GSO_ECN
    if not flags & virtio.NEEDS_CSUM:
        return flags in (0, virtio.DATA_VALID) and gso_type == virtio.GSO_NONE
    try:
        upper = walk_extensions(data[virtio.HEADER.size :])
    except WireError:
        return False
    fits = start == upper.offset and upper.fragment is None and offset == _CHECKSUM_AT.get(upper.next_header)
    if kind == virtio.GSO_NONE:
        return fits
    return fits and _GSO_PROTOCOL.get(kind) == upper.next_header and size > 0 and more(data)[0] < MAX_SEGMENTS


def segment(data: bytes) -> list[bytes]:
    """The IPv6 packets, checksums complete, that a packet with its ``virtio_net_hdr`` stands for.

    A header that does not fit its packet yields no packet at all; the kernel makes none.
    """
    flags, gso_type, _, size, start, offset = virtio.HEADER.unpack_from(data)
    packet = data[virtio.HEADER.size :]
    kind = gso_type & ~virtio.GSO_ECN
    if not flags & virtio.NEEDS_CSUM:
        return [packet] if kind == virtio.GSO_NONE else []
    if start < _IPV6 or start + offset + 2 > len(packet):
        return []
    if kind == virtio.GSO_NONE:
        return [_complete(packet, start, start + offset)]
    if kind == virtio.GSO_TCPV6 and size and len(packet) >= start + 20:
        return _segment_tcp(packet, start, size)
    if kind == virtio.GSO_UDP_L4 and size and len(packet) >= start + 8:
        return _segment_udp(packet, start, size)
    return []


def _complete(packet: bytes, start: int, field: int) -> bytes:
    # CHECKSUM_PARTIAL: the field holds the sum of the pseudo-header, to be included. 0 would mean "none" in
    # UDP; 0xffff is the same number to every protocol.
    return b"".join((packet[:field], _WORD.pack(checksum(packet[start:]) or 0xFFFF), packet[field + 2 :]))


def _segment_tcp(packet: bytes, start: int, size: int) -> list[bytes]:
    end = start + (packet[start + 12] >> 4) * 4
    if end < start + 20 or end > len(packet):
        return []
    sequence = _SEQUENCE.unpack_from(packet, start + 4)[0]
    flags = packet[start + 13]
    before_flags, options = packet[start + 8 : start + 13], packet[start + 18 : end]
    window, ports = packet[start + 14 : start + 16], packet[start : start + 4]
    # What the segments have in common, summed once: addresses, ports, and header without sequence and flags.
    common = pseudo(packet[8:24], packet[24:40], end - start, TCP) + int.from_bytes(ports, "big")
    common += int.from_bytes(before_flags + b"\0" + window + b"\0\0" + options, "big")
    pieces: list[bytes] = []
    extensions, begin, fixed = end - _IPV6, packet[:4], packet[6:start]
    for at in range(end, len(packet), size):
        payload = packet[at : at + size]
        last = at + size >= len(packet)
        bits = flags if last else flags & ~_FIN_PSH
        if at > end:
            bits &= ~_CWR  # RFC 3168 6.1.2: once a window
        number = _SEQUENCE.pack((sequence + at - end) & 0xFFFFFFFF)
        value = checksum(payload, common + len(payload) + int.from_bytes(number, "big") + bits)
        length, check, flag = _WORD.pack(extensions + len(payload)), _WORD.pack(value), bytes((bits,))
        parts = begin, length, fixed, ports, number, before_flags, flag, window, check, options, payload
        pieces.append(b"".join(parts))
    return pieces


def _segment_udp(packet: bytes, start: int, size: int) -> list[bytes]:
    end = start + 8
    ports = packet[start : start + 4]
    common = pseudo(packet[8:24], packet[24:40], 0, UDP) + int.from_bytes(ports, "big")
    pieces: list[bytes] = []
    for at in range(end, len(packet), size):
        payload = packet[at : at + size]
        length = 8 + len(payload)
        udp = ports + _WORD.pack(length) + _WORD.pack(checksum(payload, common + 2 * length) or 0xFFFF)
        total = _WORD.pack(start - _IPV6 + length)
        pieces.append(b"".join((packet[:4], total, packet[6:start], udp, payload)))
    return pieces


def more(data: bytes) -> tuple[int, int]:
    """How many packets and bytes a super-packet stands for beyond the one that it is; (0, 0) for a packet."""
    if len(data) < virtio.HEADER.size or not data[1]:
        return 0, 0
    _, gso_type, _, size, start, _ = virtio.HEADER.unpack_from(data)
    if not size:
        return 0, 0
    total = len(data) - virtio.HEADER.size
    if gso_type & ~virtio.GSO_ECN == virtio.GSO_UDP_L4:
        end = start + 8
    else:
        at = virtio.HEADER.size + start + 12
        end = start + (data[at] >> 4) * 4 if at < len(data) else total
    count = max(0, -(-(total - end) // size) - 1)
    return count, count * end


def alike(block: memoryview, size: int) -> bool:
    """Whether the packets back to back in ``block`` are of one kind: all of them can be sent on as they are.

    Each has ``size`` bytes, a multiple of 8, as its own header says, and the source and destination of the first;
    the last may have fewer.
    """
    count, rest = divmod(len(block), size)
    whole = len(block) - rest
    words, step = block[:whole].cast("Q"), size // 8
    shorter = rest >= _IPV6 and size_of(block, whole) == rest and block[whole + 8 : whole + 40] == block[8:40]
    return (
        size_of(block, 0) == size
        and all(bytes(words[at::step]) == bytes(block[8 * at : 8 * at + 8]) * count for at in range(5))
        and (not rest or shorter)
    )


def packets_of(block: memoryview, size: int) -> list[bytes]:
    """The packets back to back in ``block``, each of ``size`` bytes (the last may have fewer), less what is cut off."""
    starts = range(0, len(block) - _IPV6 + 1, size)
    return [bytes(block[at : at + size]) for at in starts if size_of(block, at) <= size]


def stretches(
    data: memoryview, spans: Sequence[tuple[int, int]], goes_on: Callable[[memoryview], bool], header: bytes
) -> Iterator[memoryview | list[bytes]]:
    """Packets of MTU bytes back to back (the last of a span may be shorter), in order.

    A block of several that are alike and, by ``goes_on``, go on as they are; and between such blocks lists of packets,
    each behind ``header``.
    """
    singles: list[bytes] = []
    for start, end in spans:
        block = data[start:end]
        if end - start > MTU and goes_on(block) and alike(block, MTU):
            if singles:
                yield singles
                singles = []
            yield block
        else:
            singles += [header + packet for packet in packets_of(block, MTU)]
    if singles:
        yield singles


def size_of(block: memoryview, at: int) -> int:
    """Bytes of the IPv6 packet that begins there, as its header says."""
    return _IPV6 + (block[at + 4] << 8 | block[at + 5])
