"""``struct virtio_net_hdr`` (include/uapi/linux/virtio_net.h, host byte order): what stands before a TUN's packet.

It says how a super-packet would be cut, and where a checksum is missing (virtio 1.2, 5.1.6).
"""

from struct import Struct

HEADER = Struct("=BBHHHH")
"""flags, gso_type, hdr_len, gso_size, csum_start, csum_offset; lengths in bytes, offsets from the packet's start."""
VNET_HEADER = HEADER.size
PLAIN = bytes(VNET_HEADER)
"""The header of a packet without offload."""
NEEDS_CSUM, DATA_VALID = 1, 2
GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, GSO_ECN = 0, 1, 4, 5, 0x80
