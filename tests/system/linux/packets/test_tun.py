"""A TUN device in a namespace: quiet, exact at the edges, and clear about what is wrong."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from manageout.errors import KernelError
from manageout.linux.packets.tun import TURN, Tun
from manageout.wire.virtio import GSO_TCPV6, HEADER, PLAIN
from tests.tools.packets.virtio import VnetHdr
from tests.tools.places.iphttps import in_namespace, sh

MTU = 1280
Tuns = Callable[..., Tun]


@pytest.fixture
def opened(namespaces: Callable[[str], str]) -> Iterator[Tuns]:
    """Opens ``tun0`` with an address in the namespace ``mo-tun``."""
    namespaces("mo-tun")
    made: list[Tun] = []

    def make(vnet_hdr: bool) -> Tun:
        tun = in_namespace("mo-tun", lambda: Tun.open("tun0", MTU, vnet_hdr))
        made.append(tun)
        sh("ip -n mo-tun link set tun0 up; ip -n mo-tun addr add fd00::1/64 dev tun0 nodad")
        return tun

    yield make
    for tun in made:
        tun.close()


def datagrams(*sizes: int) -> None:
    """UDP datagrams of ``sizes`` bytes, IPv6 header included, into the device."""
    sender = in_namespace("mo-tun", lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    with sender:
        for size in sizes:
            sender.sendto(bytes(size - 48), ("fd00::2", 9))


def test_the_kernel_says_nothing_of_its_own(opened: Tuns) -> None:
    tun = opened(False)
    assert tun.read_batch() == []
    assert "fe80" not in sh("ip -n mo-tun -6 addr show dev tun0")
    assert f"mtu {MTU}" in sh("ip -n mo-tun link show dev tun0")


def test_packets_come_out_and_go_in(opened: Tuns) -> None:
    tun = opened(True)
    datagrams(100, MTU)
    packets = tun.read_batch()
    assert [len(packet) for packet in packets] == [110, 10 + MTU]
    assert all(packet.startswith(PLAIN) and packet[10] >> 4 == 6 for packet in packets)
    listener = in_namespace("mo-tun", lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    with listener:
        listener.bind(("fd00::1", 9))
        listener.settimeout(5)
        packet = bytearray(packets[0][10:])
        packet[8:24], packet[24:40] = packet[24:40], packet[8:24]  # the checksum stays the same
        assert tun.write(bytes(packet)) and tun.write_raw(PLAIN + packet)
        assert listener.recv(100) == listener.recv(100) == bytes(52)
    assert not tun.write(b"\0" * 40), "no IP packet"


def test_blocks_are_cut_only_behind_short_packets(opened: Tuns) -> None:
    tun = opened(True)
    datagrams(MTU, MTU, 100, 60, MTU)
    assert tun.read_blocks() == [(0, 2 * MTU + 100), (3 * MTU, 3 * MTU + 60), (4 * MTU, 5 * MTU)]
    assert tun.read_blocks() == []
    datagrams(*[MTU] * 60)
    assert tun.read_blocks() == [(0, 51 * MTU), (51 * MTU, 60 * MTU)]


def test_a_turn_ends_by_bytes_however_many_packets_wait(opened: Tuns) -> None:
    tun = opened(True)
    datagrams(*[MTU] * 300)
    first = tun.read_batch(1000)
    assert len(first) == TURN // (10 + MTU) + 1
    assert len(first) + len(tun.read_batch(1000)) == 300


def test_super_packets_with_offloads_and_none_without(opened: Tuns) -> None:
    tun = opened(True)
    tun.set_offloads(True)
    assert tun.offloads
    tun.set_offloads(False)
    assert not tun.offloads
    header = VnetHdr(1, GSO_TCPV6, 60, 1220, 40, 16)
    assert VnetHdr(*HEADER.unpack_from(header.pack())) == header


def test_a_name_that_is_taken_or_too_long(opened: Tuns) -> None:
    opened(False)
    with pytest.raises(KernelError, match="the device name tun0 is taken"):
        in_namespace("mo-tun", lambda: _raised(lambda: Tun.open("tun0", MTU)))()
    with pytest.raises(KernelError, match="not of 1 to 15 characters"):
        Tun.open("x" * 16, MTU)


def _raised(call: Callable[[], object]) -> Callable[[], None]:
    """``call`` here and now; its exception when the result is called."""
    try:
        call()
    except KernelError as error:
        fault = error
    else:
        raise AssertionError("nothing was raised")

    def again() -> None:
        raise fault

    return again


def test_a_device_that_somebody_removes(opened: Tuns) -> None:
    tun = opened(False)
    sh("ip -n mo-tun link delete tun0")
    with pytest.raises(KernelError, match="device tun0: "):
        tun.read_batch()
