"""What one end of an IP-HTTPS link has exchanged, counted in packets: a super-packet is what it stands for."""

from collections.abc import Sequence
from dataclasses import dataclass

from manageout.protocol.offload.cut import MTU, more
from manageout.wire.virtio import PLAIN


@dataclass(slots=True, kw_only=True, eq=False)
class Traffic:
    """``in``: from the other end, accepted; ``out``: to it."""

    packets_in: int = 0
    bytes_in: int = 0
    packets_out: int = 0
    bytes_out: int = 0

    def arrived(self, packets: list[bytes], header: int, vnet_hdr: bool) -> list[bytes]:
        """Packets that go to the kernel, each behind ``header`` bytes; as a device with ``vnet_hdr`` takes them."""
        self.packets_in += len(packets)
        self.bytes_in += sum(map(len, packets)) - header * len(packets)
        if header:
            for packet in packets:
                if packet[1]:  # gso_type: a super-packet
                    further, size = more(packet)
                    self.packets_in += further
                    self.bytes_in += size
        return packets if header or not vnet_hdr else [PLAIN + packet for packet in packets]

    def left(self, packets: Sequence[bytes]) -> None:
        """Plain packets go to the other end."""
        self.packets_out += len(packets)
        self.bytes_out += sum(map(len, packets))

    def left_in_a_block(self, size: int) -> None:
        """``size`` bytes of packets that have MTU bytes each, but for the last."""
        self.packets_out += -(-size // MTU)
        self.bytes_out += size
