"""Whole packets translated: the pure twin of ``bpf/xlat.bpf.c``, tried first on the slow path. ``rules`` has its rules.

It takes whole TCP, UDP and echo packets without extension headers or options, between a lease and the NAT64
prefix, and super-packets of TCP and UDP. Checksums change by difference, so that they still protect end to end.
"""

from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from manageout.protocol.core.drops import Drop, Verdict
from manageout.protocol.offload import cut as segment
from manageout.protocol.translate.mappings import Mappings, illegal6
from manageout.wire import icmpv4, icmpv6, virtio
from manageout.wire.numbers import ICMP, ICMPV6, TCP, UDP
from manageout.wire.special import illegal4

HEADER4, HEADER6 = 20, 40
DIFFERENCE = HEADER6 - HEADER4
LARGEST4 = 0xFFFF
HEAD = 128
"""Bytes that hold every header the fast path looks at."""
DF_LIMIT = 1260
"""RFC 7915 5.1: an IPv4 packet up to this size goes out without DF, for its IPv6 path might be a tunnel's."""

PACK4 = Struct("!BBHHHBBH4s4s")
PACK6 = Struct("!IHBB16s16s")
ECHO4 = {icmpv4.ECHO_REQUEST: icmpv6.ECHO_REQUEST, icmpv4.ECHO_REPLY: icmpv6.ECHO_REPLY}
ECHO6 = {number: kind for kind, number in ECHO4.items()}
_CHECKSUM_AT = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}
_SHORTEST = {TCP: 20, UDP: 8, ICMP: 8, ICMPV6: 8}
_SAME = {virtio.GSO_NONE: virtio.GSO_NONE, virtio.GSO_UDP_L4: virtio.GSO_UDP_L4}
_GSO_KINDS = {
    6: _SAME | {virtio.GSO_TCPV6: virtio.GSO_TCPV4},
    4: _SAME | {virtio.GSO_TCPV4: virtio.GSO_TCPV6},
}


class Translation(NamedTuple):
    """A decision. ``packet``: what goes on (empty unless FORWARD). ``error``: a packet for the sender, or None."""

    verdict: Verdict
    reason: Drop | None
    packet: bytes
    error: bytes | None = None


SLOW = Translation(Verdict.SLOW, None, b"")


@dataclass(frozen=True, slots=True)
class Mtus:
    """Bytes: the next hop's MTU on either side, and the least that every IPv6 path carries (RFC 7915 4)."""

    mtu4: int = 1500
    mtu6: int = 1500
    lowest6: int = 1280

    @property
    def fragment6(self) -> int:
        """The largest IPv6 packet made of an IPv4 packet without DF."""
        return min(self.mtu6, self.lowest6)


def dropped(reason: Drop, error: bytes | None = None) -> Translation:
    """A drop and the error that reports it."""
    return Translation(Verdict.DROP, reason, b"", error)


def forwarded(packets: list[bytes]) -> list[Translation]:
    """What goes on."""
    return [Translation(Verdict.FORWARD, None, packet) for packet in packets]


def fold(total: int) -> int:
    """A ones' complement sum of 16 bits; 0 only for 0."""
    return total and (total % 0xFFFF or 0xFFFF)


def header4(
    tos: int, total: int, ident: int, fragment: int, ttl: int, protocol: int, src: bytes, dst: bytes
) -> bytes:
    """20 bytes with their checksum; ``fragment`` is the word of flags and offset."""
    words = 0x4500 + tos + total + ident + fragment + (ttl << 8) + protocol
    words += int.from_bytes(src, "big") + int.from_bytes(dst, "big")
    return PACK4.pack(0x45, tos, total, ident, fragment, ttl, protocol, 0xFFFF - fold(words), src, dst)


def adjusted(value: int, old: int, new: int) -> int:
    """Checksum ``value`` after words that sum to ``old`` were replaced by words that sum to ``new``.

    RFC 1624 equation 3. ``old`` and ``new`` need not be folded.
    """
    return 0xFFFF - fold((value ^ 0xFFFF) + (0xFFFF - fold(old)) + new)


def addresses(*packed: bytes) -> int:
    """The sum of the words of addresses."""
    return sum(int.from_bytes(address, "big") for address in packed)


class WholePackets:
    """The rules over one set of mappings."""

    def __init__(self, mappings: Mappings, mtus: Mtus) -> None:
        self.mappings, self.mtus = mappings, mtus

    def fast(self, packet: bytes, ident: int) -> Translation:
        """Judge a packet of either family; ``ident`` (16 bits, not 0) is the IPv4 identification to use."""
        return self._judge(packet, ident, len(packet), False, len(packet))

    def translate_gso(self, vnet_header: bytes, packet: bytes, ident: int, size: int = 0) -> Translation:
        """The same for a packet of a TUN device with ``struct virtio_net_hdr``, which the result begins with.

        ``packet`` may be cut off after :data:`HEAD` bytes, if ``size`` tells its whole length: the rest goes on as it
        is. SLOW: take it apart (:func:`segments`) and translate what it stands for.
        """
        size = size or len(packet)
        flags, gso, header_length, piece, start, offset = virtio.HEADER.unpack(vnet_header)
        version = packet[0] >> 4 if packet else 0
        if not flags & virtio.NEEDS_CSUM:
            result = SLOW if gso else self._judge(packet, ident, size, False, size)
            return result._replace(packet=virtio.PLAIN + result.packet) if result.packet else result
        kinds = _GSO_KINDS.get(version)
        kind = kinds.get(gso & ~virtio.GSO_ECN) if kinds else None
        ip = HEADER6 if version == 6 else HEADER4
        if kind is None or start != ip or len(packet) < ip:
            return SLOW
        protocol = packet[6] if version == 6 else packet[9]
        if (
            protocol not in (TCP, UDP)
            or offset != _CHECKSUM_AT[protocol]
            or len(packet) < ip + _SHORTEST[protocol]
        ):
            return SLOW
        if kind and (kind == virtio.GSO_UDP_L4) != (protocol == UDP):
            return SLOW
        upper = 8 if protocol == UDP else (packet[ip + 12] >> 4) * 4
        if kind and (not piece or upper < _SHORTEST[protocol] or ip + upper > len(packet)):
            return SLOW
        largest = ip + upper + piece if kind else size
        result = self._judge(packet, ident, largest, True, size)
        if result.verdict is not Verdict.FORWARD:
            return result
        change = -DIFFERENCE if version == 6 else DIFFERENCE
        header = virtio.HEADER.pack(
            flags, kind | gso & virtio.GSO_ECN, max(0, header_length + change), piece, start + change, offset
        )
        return result._replace(packet=header + result.packet)

    def _judge(self, packet: bytes, ident: int, largest: int, partial: bool, size: int) -> Translation:
        if not packet:
            return dropped(Drop.TRUNCATED)
        version = packet[0] >> 4
        if version == 6:
            return self._from6(packet, ident, largest, partial, size)
        if version == 4:
            return self._from4(packet, largest, partial, size)
        return dropped(Drop.NOT_IPV6)

    def _from6(self, packet: bytes, ident: int, largest: int, partial: bool, size: int) -> Translation:
        maps = self.mappings
        length = HEADER6 + (packet[4] << 8 | packet[5]) if size >= HEADER6 else size + 1
        if length > size:
            return dropped(Drop.TRUNCATED)
        if length < size or not maps.fast:
            return SLOW
        source, destination = packet[8:24], packet[24:40]
        if maps.in_pref64(source):
            return SLOW if maps.eam else dropped(Drop.SOURCE_IN_PREF64)
        if illegal6(source):
            return dropped(Drop.SOURCE_ILLEGAL)
        if not maps.in_pref64(destination):
            return SLOW
        dst4 = destination[12:]
        if illegal4(dst4):
            return dropped(Drop.DESTINATION_ILLEGAL)
        if maps.in_pool(dst4) or maps.explicit6(dst4) is not None:
            return SLOW
        src4 = maps.leases.get(source)
        if src4 is None or packet[7] < 2 or largest - DIFFERENCE > self.mtus.mtu4:
            return SLOW
        if length - DIFFERENCE > LARGEST4:
            return SLOW
        old, new = addresses(source, destination), addresses(src4, dst4)
        upper = upper_layer(packet, HEADER6, packet[6], old, new, partial, size)
        if upper is None:
            return SLOW
        total = length - DIFFERENCE
        tos = (packet[0] & 15) << 4 | packet[1] >> 4
        fragment = 0x4000 if largest - DIFFERENCE > DF_LIMIT else 0
        protocol = ICMP if packet[6] == ICMPV6 else packet[6]
        header = header4(tos, total, ident, fragment, packet[7] - 1, protocol, src4, dst4)
        return Translation(Verdict.FORWARD, None, header + upper)

    def _from4(self, packet: bytes, largest: int, partial: bool, size: int) -> Translation:
        maps, mtus = self.mappings, self.mtus
        total = packet[2] << 8 | packet[3] if size >= HEADER4 else size + 1
        if not HEADER4 <= total <= size:
            return dropped(Drop.TRUNCATED)
        # A sum that is 0 modulo 0xffff is a right checksum, for the header is never all zero.
        if (
            packet[0] != 0x45
            or total < size
            or int.from_bytes(packet[:HEADER4], "big") % 0xFFFF
            or not maps.fast
        ):
            return SLOW
        source, protocol = packet[12:16], packet[9]
        if illegal4(source):
            return SLOW if protocol == ICMP else dropped(Drop.SOURCE_ILLEGAL)
        if maps.in_pool(source):
            return dropped(Drop.LEASE_SPOOFED)
        if packet[6] & 0xBF or packet[7] or (maps.eam and maps.explicit6(source) is not None):
            return SLOW
        dst6 = maps.leases4.get(packet[16:20])
        limit = mtus.mtu6 if packet[6] & 0x40 else mtus.fragment6
        if dst6 is None or packet[8] < 2 or largest + DIFFERENCE > limit:
            return SLOW
        src6 = maps.embed(source)
        upper = upper_layer(
            packet, HEADER4, protocol, addresses(packet[12:20]), addresses(src6, dst6), partial, size
        )
        if upper is None:
            return SLOW
        following = ICMPV6 if protocol == ICMP else protocol
        word = 0x6000_0000 | packet[1] << 20
        header = PACK6.pack(word, total - HEADER4, following, packet[8] - 1, src6, dst6)
        return Translation(Verdict.FORWARD, None, header + upper)


def upper_layer(
    packet: bytes, start: int, protocol: int, old: int, new: int, partial: bool, size: int = 0
) -> bytes | None:
    """The transport segment with its checksum for addresses that sum to ``new``; None: not for the fast path.

    ``size``: the length of the whole packet, of which ``packet`` may be the beginning.
    """
    if len(packet) < start + _SHORTEST.get(protocol, 0x10000):
        return None
    field = start + _CHECKSUM_AT[protocol]
    value = packet[field] << 8 | packet[field + 1]
    if protocol in (ICMP, ICMPV6):
        if packet[start + 1] or partial or (protocol == ICMP) != (start == HEADER4):
            return None
        return echo(packet[start:], protocol, old, new, (size or len(packet)) - start)
    if partial:
        # The field holds the pseudo-header's sum itself, not inverted.
        value = fold(value + (0xFFFF - fold(old)) + new)
    else:
        if protocol == UDP and not value:
            return None
        value = adjusted(value, old, new)
        if protocol == UDP:
            value = value or 0xFFFF
    return b"".join((packet[start:field], value.to_bytes(2, "big"), packet[field + 2 :]))


def echo(message: bytes, protocol: int, old: int, new: int, length: int) -> bytes | None:
    """An echo message of ICMP or ICMPv6 as the other's, or what is left of one of ``length`` bytes; None: no echo."""
    kind = (ECHO4 if protocol == ICMP else ECHO6).get(message[0])
    if kind is None:
        return None
    if len(message) < 4:  # cut off before the checksum
        return bytes((kind,)) + message[1:]
    before, after = message[0] << 8, kind << 8
    # ICMPv6 counts the pseudo-header, ICMP does not (RFC 7915 4.2, 5.2).
    if protocol == ICMP:
        after += new + length + ICMPV6
    else:
        before += old + length + ICMPV6
    value = adjusted(message[2] << 8 | message[3], before, after)
    return bytes((kind, message[1], value >> 8, value & 255)) + message[4:]


def segments(vnet_header: bytes, packet: bytes) -> list[bytes]:
    """The packets that a super-packet of either family stands for, checksums complete."""
    if packet[:1] and packet[0] >> 4 == 6:
        return segment.segment(vnet_header + packet)
    start = (packet[0] & 15) * 4 if len(packet) >= HEADER4 else 0
    if start < HEADER4 or len(packet) < start or packet[0] >> 4 != 4:
        return []
    flags, gso, header_length, size, at, offset = virtio.HEADER.unpack(vnet_header)
    if not flags & virtio.NEEDS_CSUM:
        return [] if gso else [packet]
    if at != start:
        return []
    # IPv4 addresses as ::a.b.c.d give the same pseudo-header sum, so IPv6's segmentation serves both.
    kind = virtio.GSO_TCPV6 | gso & virtio.GSO_ECN if gso & ~virtio.GSO_ECN == virtio.GSO_TCPV4 else gso
    header = virtio.HEADER.pack(flags, kind, header_length, size, HEADER6, offset)
    source, destination = bytes(12) + packet[12:16], bytes(12) + packet[16:20]
    body = packet[start:]
    whole = PACK6.pack(0x6000_0000, len(body) & 0xFFFF, packet[9], 64, source, destination) + body
    ident = packet[4] << 8 | packet[5]
    return [
        _rewrapped(packet[:start], ident + number & 0xFFFF, piece[HEADER6:])
        for number, piece in enumerate(segment.segment(header + whole))
    ]


def _rewrapped(header: bytes, ident: int, body: bytes) -> bytes:
    fields = b"".join(
        ((header[:2]), (len(header) + len(body)).to_bytes(2, "big"), ident.to_bytes(2, "big"), header[6:10])
    )
    value = 0xFFFF - fold(int.from_bytes(fields + b"\0\0" + header[12:], "big"))
    return b"".join((fields, value.to_bytes(2, "big"), header[12:], body))
