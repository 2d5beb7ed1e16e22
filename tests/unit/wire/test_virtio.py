"""The header before a TUN's packet."""

from __future__ import annotations

import sys

from manageout.wire.virtio import GSO_TCPV6, HEADER, NEEDS_CSUM, PLAIN, VNET_HEADER
from tests.tools.packets.virtio import VnetHdr


def test_fields_are_in_the_hosts_byte_order() -> None:
    header = VnetHdr(NEEDS_CSUM, GSO_TCPV6, 60, 1220, 40, 16)
    words = b"".join(value.to_bytes(2, sys.byteorder) for value in (60, 1220, 40, 16))
    assert header.pack() == b"\1\4" + words
    assert VnetHdr(*HEADER.unpack_from(header.pack() + b"packet")) == header


def test_a_packet_without_offload() -> None:
    assert VnetHdr().pack() == PLAIN and len(PLAIN) == VNET_HEADER == 10
