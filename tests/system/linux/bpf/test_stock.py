"""Packets for stock clients leave by a device without offloads: whole super-packets for others, cut ones for them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from manageout.linux.bpf.fast_path import Setup
from manageout.linux.bpf.stock import StockFastPath
from manageout.linux.host import netns
from manageout.linux.packets.tun import Tun
from manageout.wire.virtio import VNET_HEADER

NAME = "mo-test-stock"
OWN, STOCK, LATER = (f"fd00::{number}" for number in (2, 3, 4))
PARTS, PART = 8, 1000
UDP_SEGMENT = 103
Tuns = tuple[Tun, Tun]


@pytest.fixture
def tuns(namespaces: Callable[[str], str]) -> Iterator[Tuns]:
    """The shared device, with offloads, and the one without."""
    namespaces(NAME)
    with (
        netns.inside(NAME),
        Tun.open("mo-iphttps0", 1280, vnet_hdr=True) as shared,
        Tun.open("mo-iphttps1", 1280, vnet_hdr=True) as apart,
    ):
        for line in (
            "link set mo-iphttps0 up",
            "link set mo-iphttps1 up",
            "address add fd00::1/64 dev mo-iphttps0 nodad",
        ):
            netns.run(NAME, ["ip", *line.split()])
        shared.set_offloads()
        yield shared, apart


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6, address)


def sent(tuns: Tuns, address: str) -> list[list[int]]:
    """Eight datagrams as one super-packet: bytes of each that either device then has."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, PART)
        sender.sendto(bytes(PARTS * PART), (address, 9))
    return [[len(packet) - VNET_HEADER - 48 for packet in tun.read_batch()] for tun in tuns]


@pytest.mark.parametrize("tcx", [True, False])
def test_super_packets_for_one_and_packets_for_the_other(tuns: Tuns, tcx: bool) -> None:
    setup = Setup(tun=tuns[0].ifindex, tcx=tcx)
    with StockFastPath(setup, tuns[1].ifindex, [packed(STOCK)]) as programs:
        assert programs.attached
        whole = sent(tuns, OWN)[0]
        assert sum(whole) == PARTS * PART  # one or, before USO (Linux 6.2), eight
        assert sent(tuns, STOCK) == [[], [PART] * PARTS]
        programs.add(packed(LATER))
        assert sent(tuns, LATER) == [[], [PART] * PARTS]
        programs.discard(packed(LATER))
        assert sent(tuns, LATER) == [whole, []]
    assert sent(tuns, STOCK) == [whole, []]


def test_what_is_no_ipv6_stays(tuns: Tuns) -> None:
    netns.run(NAME, ["ip", "address", "add", "10.9.0.1/24", "dev", "mo-iphttps0"])
    with StockFastPath(Setup(tun=tuns[0].ifindex), tuns[1].ifindex, [packed(STOCK)]):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"hello", ("10.9.0.2", 9))
        assert [len(tun.read_batch()) for tun in tuns] == [1, 0]


def test_the_device_apart_has_gone(tuns: Tuns) -> None:
    with StockFastPath(Setup(tun=tuns[0].ifindex), tuns[1].ifindex, [packed(STOCK)]):
        tuns[1].close()
        assert sent((tuns[0], tuns[0]), STOCK) == [[], []]
