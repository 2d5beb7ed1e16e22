"""Proxy ARP entries of ours among those of others, and what is said on the link."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from manageout.errors import KernelError
from manageout.linux.host import netns
from manageout.linux.netlink import neighbours
from manageout.linux.netlink.neighbours import ProxyArp
from manageout.linux.packets.arp import announce

NODE = "mo-test-arp"
LEASE, OTHER = bytes((10, 0, 0, 130)), bytes((10, 0, 0, 131))


@pytest.fixture
def node(namespaces: Callable[[str], str]) -> Iterator[str]:
    """A namespace with both ends of a link; this thread is inside."""
    name = namespaces(NODE)
    for command in ("link add e0 type veth peer name e1", "link set e0 up", "link set e1 up"):
        netns.run(name, ["ip", *command.split()])
    with netns.inside(name):
        yield name


def test_only_ours_are_removed(node: str) -> None:
    netns.run(node, ["ip", "neigh", "add", "proxy", "10.0.0.7", "dev", "e0"])
    with ProxyArp("e0") as arp:
        for address in (LEASE, LEASE, OTHER):
            arp.add(address)
        assert sorted(neighbours.proxied()) == [("e0", LEASE), ("e0", OTHER)]
        arp.remove(OTHER)
        arp.remove(OTHER)
        assert neighbours.proxied() == [("e0", LEASE)]
    assert neighbours.remove_proxies() == 1
    assert neighbours.proxied() == []
    assert netns.run(node, ["ip", "neigh", "show", "proxy"]).stdout.strip() == "10.0.0.7 dev e0 proxy"


def test_an_announcement_names_address_and_hardware(node: str) -> None:
    with listening("e1") as wire:
        announce("e0", LEASE)
        frame = wire.recv(100)
    hardware = frame[6:12]
    assert frame[:6] == b"\xff" * 6
    assert frame[14:22] == bytes.fromhex("0001080006040001")
    assert frame[22:42] == hardware + LEASE + bytes(6) + LEASE


def test_a_device_that_is_not_there(node: str) -> None:
    announce("nothing", LEASE)
    with ProxyArp("nothing") as arp:
        arp.remove(LEASE)
        with pytest.raises(KernelError, match="no network device nothing"):
            arp.add(LEASE)


def test_the_loopback_device_announces_nothing(node: str) -> None:
    netns.run(node, ["ip", "link", "set", "lo", "up"])
    with listening("lo") as wire, listening("e1") as after:
        announce("lo", LEASE)
        announce("e0", LEASE)
        assert after.recv(100)
        wire.setblocking(False)
        with pytest.raises(BlockingIOError):
            wire.recv(100)


def listening(dev: str) -> socket.socket:
    """Everything of ARP on ``dev``."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
    wire.bind((dev, 0x0806))
    wire.settimeout(5.0)
    return wire
