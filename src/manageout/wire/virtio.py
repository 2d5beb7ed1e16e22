"""``struct virtio_net_hdr`` (include/uapi/linux/virtio_net.h, host byte order): what stands before a TUN's packet.

It says how a super-packet would be cut, and where a checksum is missing (virtio 1.2, 5.1.6).
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

HEADER = Struct("=BBHHHH")
"""flags, gso_type, hdr_len, gso_size, csum_start, csum_offset."""
VNET_HEADER = HEADER.size
PLAIN = bytes(VNET_HEADER)
"""The header of a packet without offload."""
NEEDS_CSUM, DATA_VALID = 1, 2
GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, GSO_ECN = 0, 1, 4, 5, 0x80


class VnetHdr(NamedTuple):
    """Lengths and offsets in bytes from the start of the packet."""

    flags: int = 0
    gso_type: int = GSO_NONE
    hdr_len: int = 0
    gso_size: int = 0
    csum_start: int = 0
    csum_offset: int = 0

    def pack(self) -> bytes:
        """As the kernel wants it."""
        return HEADER.pack(*self)
