"""``struct virtio_net_hdr`` by the names of its fields."""

from __future__ import annotations

from typing import NamedTuple

from manageout.wire.virtio import GSO_NONE, HEADER


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
