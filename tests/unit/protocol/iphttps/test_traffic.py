"""Counting what one end of the link has exchanged."""

from __future__ import annotations

from manageout.protocol.iphttps.traffic import Traffic
from manageout.wire import ipv6, numbers
from manageout.wire.virtio import HEADER, PLAIN

PACKET = ipv6.build(bytes(15) + b"\1", bytes(15) + b"\2", numbers.NO_NEXT_HEADER, b"body")


def test_packets_are_counted_without_what_stands_before_them() -> None:
    traffic = Traffic()
    assert traffic.arrived([PACKET, PACKET], 0, vnet_hdr=False) == [PACKET, PACKET]
    assert traffic.arrived([PACKET], 0, vnet_hdr=True) == [PLAIN + PACKET]
    assert traffic.arrived([PLAIN + PACKET], 10, vnet_hdr=True) == [PLAIN + PACKET]
    assert (traffic.packets_in, traffic.bytes_in) == (4, 4 * 44)


def test_a_super_packet_is_what_it_stands_for() -> None:
    traffic = Traffic()
    datagram = ipv6.build(bytes(15) + b"\1", bytes(15) + b"\2", numbers.UDP, bytes(8 + 250))
    traffic.arrived([HEADER.pack(1, 5, 48, 100, 40, 6) + datagram], 10, vnet_hdr=True)
    assert (traffic.packets_in, traffic.bytes_in) == (3, 3 * 48 + 250)


def test_what_leaves() -> None:
    traffic = Traffic()
    traffic.left([PACKET] * 3)
    traffic.left_in_a_block(1280 + 100)
    assert (traffic.packets_out, traffic.bytes_out) == (5, 3 * 44 + 1380)
    assert (traffic.packets_in, traffic.bytes_in) == (0, 0)
