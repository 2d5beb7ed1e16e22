"""The packets of the client's IP-HTTPS link: what of the server's goes to the kernel, and the other way.

The kernel gets what is addressed to one of our addresses, and no Neighbour Discovery: that is ``iphttps_host``'s. The
server gets what the kernel sends from one of our addresses, while the link is up.
"""

from collections.abc import Sequence

from manageout.protocol.core.drops import Drop
from manageout.protocol.iphttps.host import Host
from manageout.protocol.iphttps.link import ODD_HEADERS, hidden_by_extensions
from manageout.protocol.iphttps.traffic import Traffic
from manageout.protocol.iphttps.values import SERVER, TUN, Framing
from manageout.protocol.offload.cut import harmless, more, segment, stretches
from manageout.wire import ipv6, nd
from manageout.wire.iphttps import PACKET, SUPER_PACKET, build_record
from manageout.wire.virtio import PLAIN, VNET_HEADER


class ClientLink(Traffic):
    """The packet path and its counters."""

    def __init__(self, host: Host, vnet_hdr: bool) -> None:
        super().__init__()
        self._host = host
        self._vnet_hdr = vnet_hdr
        self.framing: Framing | None = None
        """How packets are sent; None while the link is down."""
        self.full = False
        """The driver has no room for more."""
        self.stream: list[bytes] = []
        self.tun: list[bytes] = []
        """What waits for the server, and for the kernel."""
        self.drops: dict[Drop, int] = {}

    def send(self, packets: Sequence[bytes]) -> None:
        """Packets of our own to the server."""
        self.left(packets)
        own = self.framing == "own"
        self.stream += [build_record(PACKET, packet) if own else packet for packet in packets]

    def take(self) -> list[tuple[int, list[bytes]]]:
        """Everything that waits, and forget it."""
        taken: list[tuple[int, list[bytes]]] = []
        if self.tun:
            taken.append((TUN, self.tun))
            self.tun = []
        if self.stream:
            taken.append((SERVER, self.stream))
            self.stream = []
        return taken

    # --- From the server --------------------------------------------------------------------------------

    def super_packets(self, packets: Sequence[bytes], now: float) -> None:
        """Packets with a ``virtio_net_hdr`` that the server wrote; the kernel gets none that asks too much of it."""
        for packet in packets:
            if not harmless(packet):
                self._drop(Drop.MALFORMED, packet, VNET_HEADER)
        self.from_server(list(filter(harmless, packets)), now, VNET_HEADER)

    def from_server(self, packets: Sequence[bytes], now: float, header: int) -> None:
        """Whole packets, each behind ``header`` bytes (those of a ``virtio_net_hdr``, or none)."""
        mine = self._host.assigned
        next_header, source, destination, end = header + 6, header + 8, header + 24, header + 40
        passed: list[bytes] = []
        for packet in packets:
            if (
                packet[next_header] not in ODD_HEADERS
                and packet[destination:end] in mine
                and packet[source] != 0xFF
                and packet[source:destination] not in mine
            ) or self._odd(packet, now, header):
                passed.append(packet)
        self.tun += self.arrived(passed, header, self._vnet_hdr)

    def _odd(self, data: bytes, now: float, header: int) -> bool:
        """Anything but plain data for us. True: let it go to the kernel."""
        packet = data[header:]
        source, destination = packet[8:24], packet[24:40]
        if packet[6] in ODD_HEADERS and nd.message_type(packet) is not None:
            reason = self._host.receive(packet, now)
            if reason is None:
                self.packets_in += 1
                self.bytes_in += len(packet)
            else:
                self._drop(reason, data, header)
            return False
        reason = hidden_by_extensions(packet) if packet[6] in ODD_HEADERS else None
        if reason is None and destination[0] == 0xFF:
            reason = Drop.MULTICAST
        elif reason is None and destination not in self._host.assigned:
            reason = Drop.DESTINATION_ILLEGAL
        elif reason is None and (source[0] == 0xFF or source in self._host.assigned):
            reason = Drop.SOURCE_ILLEGAL
        if reason is not None:
            self._drop(reason, data, header)
        return reason is None

    # --- From the kernel --------------------------------------------------------------------------------

    def from_kernel(self, packets: Sequence[bytes]) -> None:
        header = VNET_HEADER if self._vnet_hdr else 0
        source, destination = header + 8, header + 24
        mine, out = self._host.assigned, self.stream
        for packet in packets:
            if (
                packet[source:destination] not in mine
                or packet[destination] == 0xFF
                or self.full
                or self.framing is None
            ):
                self._drop(self._why_not(packet[header:]), packet, header)
                continue
            if self.framing == "own":
                out.append(build_record(SUPER_PACKET, packet))
                if packet[1]:
                    further, size = more(packet)
                    self.packets_out += further
                    self.bytes_out += size
            elif not header:
                out.append(packet)
            else:
                pieces = [packet[header:]] if packet.startswith(PLAIN) else segment(packet)
                out += pieces
                self.left(pieces)
                continue
            self.packets_out += 1
            self.bytes_out += len(packet) - header

    def from_kernel_blocks(self, data: memoryview, spans: Sequence[tuple[int, int]]) -> None:
        """Packets of MTU bytes back to back (the last of a stretch may be shorter), without headers."""
        usable = self.framing == "stock" and not self.full
        mine = self._host.assigned

        def goes_on(block: memoryview) -> bool:
            return usable and block[24] != 0xFF and bytes(block[8:24]) in mine

        for stretch in stretches(data, spans, goes_on, PLAIN if self._vnet_hdr else b""):
            if isinstance(stretch, list):
                self.from_kernel(stretch)
            else:
                self.stream.append(bytes(stretch))
                self.left_in_a_block(len(stretch))

    def _why_not(self, packet: bytes) -> Drop:
        if len(packet) < ipv6.HEADER_LENGTH or packet[0] >> 4 != 6:
            return Drop.NOT_IPV6
        if packet[24] == 0xFF:
            return Drop.MULTICAST  # we speak Neighbour Discovery ourselves; the rest has no listener
        if packet[8:24] not in self._host.assigned:
            return Drop.NOT_OWNER
        return Drop.LINK_IS_DOWN if self.framing is None else Drop.QUEUE_FULL

    def _drop(self, reason: Drop, data: bytes, header: int) -> None:
        further, _ = more(data) if header else (0, 0)
        self.drops[reason] = self.drops.get(reason, 0) + 1 + further
