"""The ``virtio_net_hdr`` that a packet from a raw socket would have had.

Virtual links pass on super-packets, and packets whose checksum their sender's kernel left to a network card. A
raw socket shows them as they are, without the header that says so, so it is made up again for the TUN.
"""

from manageout.wire.ipv6 import HEADER_LENGTH
from manageout.wire.numbers import ICMPV6, TCP, UDP
from manageout.wire.virtio import GSO_NONE, GSO_TCPV6, HEADER, NEEDS_CSUM, PLAIN

_CHECKSUM_AT = {TCP: 16, UDP: 6, ICMPV6: 2}


def header_for(packet: bytes, mtu: int) -> tuple[bytes, bytes]:
    """The ``virtio_net_hdr`` for an IPv6 packet from a raw socket, and the packet to write behind it.

    A checksum field that holds just the sum of the pseudo-header is one that the sender's kernel meant to be
    completed later. A TCP packet larger than ``mtu`` is a super-packet; any segmentation of it is right.
    """
    kind = packet[6]
    offset = _CHECKSUM_AT.get(kind)
    length = len(packet) - HEADER_LENGTH
    if offset is None or length < offset + 2:
        return PLAIN, packet
    at = HEADER_LENGTH + offset
    # The folded sum of the pseudo-header, as it stands in an incomplete checksum field.
    partial = ((int.from_bytes(packet[8:40], "big") + length + kind) % 0xFFFF or 0xFFFF).to_bytes(2, "big")
    if len(packet) > mtu and kind == TCP:
        headers = HEADER_LENGTH + (packet[HEADER_LENGTH + 12] >> 4) * 4
        header = HEADER.pack(NEEDS_CSUM, GSO_TCPV6, headers, mtu - headers, HEADER_LENGTH, offset)
        return header, packet[:at] + partial + packet[at + 2 :]
    if packet[at : at + 2] == partial:
        return HEADER.pack(NEEDS_CSUM, GSO_NONE, 0, 0, HEADER_LENGTH, offset), packet
    return PLAIN, packet
