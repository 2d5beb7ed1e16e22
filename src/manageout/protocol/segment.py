"""Super-packets of a TUN device, taken apart and put together: what a network card does elsewhere.

A super-packet is up to 64 KiB of one TCP or UDP flow with one header, behind a ``struct virtio_net_hdr`` (include/
uapi/linux/virtio_net.h, host byte order) that says how it would be cut, and where a checksum is missing. A peer
with stock framing, or a path that cannot carry them, gets packets instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from manageout.wire.checksum import checksum, pseudo6
from manageout.wire.ipv6 import TCP, UDP

HEADER = Struct("=BBHHHH")
"""flags, gso_type, hdr_len, gso_size, csum_start, csum_offset."""
PLAIN = bytes(HEADER.size)
NEEDS_CSUM = 1
GSO_NONE, GSO_TCPV6, GSO_UDP_L4 = 0, 4, 5
GSO_ECN = 0x80
MAX_LENGTH = 65535
"""Bytes of a super-packet, its IPv6 header included."""

_IPV6 = 40
_WORD = Struct("!H")
_SEQUENCE = Struct("!I")
_FIN_PSH, _CWR = 0x09, 0x80
_ACK, _ACK_PSH = 0x10, 0x18


# --- Apart ----------------------------------------------------------------------------------------------


def segment(data: bytes) -> list[bytes]:
    """The IPv6 packets, checksums complete, that a packet with its ``virtio_net_hdr`` stands for.

    A header that does not fit its packet yields no packet at all; the kernel makes none.
    """
    flags, gso_type, _, size, start, offset = HEADER.unpack_from(data)
    packet = data[HEADER.size :]
    kind = gso_type & ~GSO_ECN
    if not flags & NEEDS_CSUM:
        return [packet] if kind == GSO_NONE else []
    if start < _IPV6 or start + offset + 2 > len(packet):
        return []
    if kind == GSO_NONE:
        return [_complete(packet, start, start + offset)]
    if kind == GSO_TCPV6 and size and len(packet) >= start + 20:
        return _segment_tcp(packet, start, size)
    if kind == GSO_UDP_L4 and size and len(packet) >= start + 8:
        return _segment_udp(packet, start, size)
    return []


def _complete(packet: bytes, start: int, field: int) -> bytes:
    # CHECKSUM_PARTIAL: the field holds the sum of the pseudo-header, to be included. 0 would mean "none" in
    # UDP; 0xffff is the same number to every protocol.
    value = checksum(packet[start:]) or 0xFFFF
    return b"".join((packet[:field], _WORD.pack(value), packet[field + 2 :]))


def _segment_tcp(packet: bytes, start: int, size: int) -> list[bytes]:
    end = start + (packet[start + 12] >> 4) * 4
    if end < start + 20 or end > len(packet):
        return []
    sequence = _SEQUENCE.unpack_from(packet, start + 4)[0]
    flags = packet[start + 13]
    before_flags, options = packet[start + 8 : start + 13], packet[start + 18 : end]
    window, ports = packet[start + 14 : start + 16], packet[start : start + 4]
    # What the segments have in common, summed once: addresses, ports, and header without sequence and flags.
    common = pseudo6(packet[8:24], packet[24:40], end - start, TCP) + int.from_bytes(ports, "big")
    common += int.from_bytes(before_flags + b"\0" + window + b"\0\0" + options, "big")
    pieces: list[bytes] = []
    extensions, fixed = end - _IPV6, packet[6:start]
    for at in range(end, len(packet), size):
        payload = packet[at : at + size]
        last = at + size >= len(packet)
        bits = flags if last else flags & ~_FIN_PSH
        if at > end:
            bits &= ~_CWR  # RFC 3168 6.1.2: once a window
        number = _SEQUENCE.pack((sequence + at - end) & 0xFFFFFFFF)
        value = checksum(payload, common + len(payload) + int.from_bytes(number, "big") + bits)
        pieces.append(
            b"".join(
                (
                    packet[:4],
                    _WORD.pack(extensions + len(payload)),
                    fixed,
                    ports,
                    number,
                    before_flags,
                    bytes((bits,)),
                    window,
                    _WORD.pack(value),
                    options,
                    payload,
                )
            )
        )
    return pieces


def _segment_udp(packet: bytes, start: int, size: int) -> list[bytes]:
    end = start + 8
    ports = packet[start : start + 4]
    common = pseudo6(packet[8:24], packet[24:40], 0, UDP) + int.from_bytes(ports, "big")
    pieces: list[bytes] = []
    for at in range(end, len(packet), size):
        payload = packet[at : at + size]
        length = 8 + len(payload)
        value = checksum(payload, common + 2 * length) or 0xFFFF
        udp = ports + _WORD.pack(length) + _WORD.pack(value)
        total = _WORD.pack(start - _IPV6 + length)
        pieces.append(b"".join((packet[:4], total, packet[6:start], udp, payload)))
    return pieces


def more(data: bytes) -> tuple[int, int]:
    """How many packets and bytes a super-packet stands for beyond the one that it is; (0, 0) for a packet."""
    _, gso_type, _, size, start, _ = HEADER.unpack_from(data)
    if not gso_type or not size:
        return 0, 0
    total = len(data) - HEADER.size
    if gso_type == GSO_UDP_L4:
        end = start + 8
    else:
        at = HEADER.size + start + 12
        end = start + (data[at] >> 4) * 4 if at < len(data) else total
    count = max(0, -(-(total - end) // size) - 1)
    return count, count * end


# --- Together -------------------------------------------------------------------------------------------


def _mask(header_length: int) -> int:
    """Ones over the fields that all segments of one super-packet have alike (Linux tcp_gro_receive)."""
    mask = bytearray(b"\xff" * (_IPV6 + header_length))
    for differs in (4, 5, 44, 45, 46, 47, 53, 56, 57):  # payload length, sequence, flags, checksum
        mask[differs] = 0
    return int.from_bytes(mask, "big")


_MASKS = {length: _mask(length) for length in range(20, 64, 4)}


class _Run:
    """Consecutive segments of one flow."""

    __slots__ = ("alike", "first", "header", "next", "payloads", "psh", "size", "total")

    def __init__(self, packet: bytes, header: int, alike: int, sequence: int) -> None:
        self.first = packet
        self.header = header
        self.alike = alike
        self.size = self.total = len(packet) - header
        self.next = sequence + self.size & 0xFFFFFFFF
        self.payloads = [packet[header:]]
        self.psh = packet[53]

    def build(self) -> bytes:
        """As for the kernel, with its ``virtio_net_hdr``."""
        first, end = self.first, self.header
        if len(self.payloads) == 1:
            return PLAIN + first
        length = end - _IPV6 + self.total
        partial = pseudo6(first[8:24], first[24:40], length, TCP) % 0xFFFF or 0xFFFF
        vnet = HEADER.pack(NEEDS_CSUM, GSO_TCPV6, end, self.size, _IPV6, 16)
        head = (vnet, first[:4], _WORD.pack(length), first[6:53], bytes((self.psh,)), first[54:56])
        return b"".join((*head, _WORD.pack(partial), first[58:end], *self.payloads))


def coalesce(packets: Sequence[bytes]) -> list[bytes]:
    """Packets -> packets and super-packets, each with its ``virtio_net_hdr``; order within a flow is kept.

    Only TCP segments with data, in order, alike in all but length and PSH, and with right checksums are joined,
    so that :func:`segment` gives the same packets back.
    """
    done: list[bytes] = []
    runs: dict[bytes, _Run] = {}
    for packet in packets:
        if packet[6] != TCP or len(packet) < _IPV6 + 20:
            done.append(PLAIN + packet)
            continue
        flow = packet[8:44]
        run = runs.get(flow)
        end = _IPV6 + (packet[52] >> 4) * 4
        payload = len(packet) - end
        flags = packet[53]
        joinable = flags in (_ACK, _ACK_PSH) and payload > 0 and end >= _IPV6 + 20 and _sound(packet)
        if not joinable:
            if run is not None:
                done.append(runs.pop(flow).build())
            done.append(PLAIN + packet)
            continue
        alike = int.from_bytes(packet[:end], "big") & _MASKS[end - _IPV6]
        sequence = _SEQUENCE.unpack_from(packet, 44)[0]
        if run is not None:
            fits = run.next == sequence and run.alike == alike
            if fits and payload <= run.size and run.header + run.total + payload <= MAX_LENGTH:
                run.payloads.append(packet[end:])
                run.total += payload
                run.next = sequence + payload & 0xFFFFFFFF
                run.psh = flags
                if payload < run.size or flags == _ACK_PSH:
                    done.append(runs.pop(flow).build())
                continue
            done.append(runs.pop(flow).build())
        if flags == _ACK_PSH:
            done.append(PLAIN + packet)
        else:
            runs[flow] = _Run(packet, end, alike, sequence)
    done += [run.build() for run in runs.values()]
    return done


def _sound(packet: bytes) -> bool:
    # The super-packet gets a new checksum: a wrong one must not become right. Over the addresses and all behind
    # them, plus length and protocol, the sum is that of pseudo-header and segment.
    return (int.from_bytes(packet[8:], "big") << 8 * (len(packet) & 1)) % 0xFFFF == (
        -(len(packet) - 34)
    ) % 0xFFFF
