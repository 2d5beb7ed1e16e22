"""Octets through the translator's fast path between real nodes: TCP and UDP, both ways, whole and cut by the kernel.

client - gateway - server. Nobody serves the TUN device here: every packet takes the fast path, or is lost.
"""

from __future__ import annotations

import random
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network, IPv6Address, IPv6Network

import pytest

from manageout.linux.bpf.fast_path import Direct
from manageout.linux.bpf.xlat import XlatFastPath, XlatSetup
from manageout.linux.host import netns
from manageout.linux.packets.tun import Tun
from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.whole import Mtus
from tests.tools import bpf
from tests.tools.this_kernel import linux

CLIENT, GATEWAY, SERVER = "mo-test-client", "mo-test-gateway", "mo-test-server"
SETUP = {
    GATEWAY: (
        f"ip link add towards_client type veth peer name uplink netns {CLIENT}",
        f"ip link add towards_server type veth peer name uplink netns {SERVER}",
        "ip link set towards_client up",
        "ip link set towards_server up",
        "ip addr add fd12::1/64 dev towards_client nodad",
        "ip addr add 10.0.0.1/24 dev towards_server",
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
    ),
    CLIENT: (
        "ip link set uplink up",
        "ip addr add fd12::5/64 dev uplink nodad",
        "ip route add default via fd12::1",
    ),
    SERVER: (
        "ip link set uplink up",
        "ip addr add 10.0.0.20/24 dev uplink",
        "ip route add default via 10.0.0.1",
    ),
}
CLIENT6, SERVER4, SERVER6, LEASE = "fd12::5", "10.0.0.20", "fd64::10.0.0.20", "10.9.0.5"
OCTETS = 5_000_000
COUNTED = """
table ip seen {
  chain forward { type filter hook forward priority 0; policy accept; meta l4proto { tcp, udp } counter; }
}
"""
SEGMENT, UDP_SEGMENT = 1000, 103  # linux/udp.h


@pytest.fixture(params=["on", "off"])
def card(request: pytest.FixtureRequest) -> str:
    """With the card's help ``off`` the kernel cuts super-packets and sums them, behind our program."""
    return str(request.param)


@pytest.fixture(params=[True, False], ids=["direct", "through the kernel"])
def path(
    request: pytest.FixtureRequest, namespaces: Callable[[str], str], card: str
) -> Iterator[XlatFastPath]:
    for node in SETUP:
        namespaces(node)
        netns.run(node, ["sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0"])
    for node, lines in SETUP.items():
        for line in lines:
            netns.run(node, line.split())
    for node, device in (
        (CLIENT, "uplink"),
        (SERVER, "uplink"),
        (GATEWAY, "towards_client"),
        (GATEWAY, "towards_server"),
    ):
        netns.run(node, ["ethtool", "-K", device, "tx", card, "tso", card, "gso", card])
    maps = Mappings(
        IPv6Network("fd64::/96"),
        own4=bytes([10, 9, 0, 1]),
        own6=IPv6Address("fd12::1").packed,
        pool=IPv4Network("10.9.0.0/16"),
    )
    maps.set_lease(IPv6Address(CLIENT6).packed, socket.inet_aton(LEASE))
    with netns.inside(GATEWAY), Tun.open("mo-xlat0", 1500, vnet_hdr=True) as tun:
        tun.set_offloads()
        for line in (
            "ip link set mo-xlat0 up",
            "ip route add fd64::/96 dev mo-xlat0",
            "ip route add 10.9.0.0/16 dev mo-xlat0",
        ):
            netns.run(GATEWAY, line.split())
        subprocess.run(netns.command(GATEWAY, ["nft", "-f", "-"]), input=COUNTED, text=True, check=True)
        devices = (socket.if_nametoindex("towards_server"),) if request.param else ()
        setup = XlatSetup(tun=tun.ifindex, underlays=devices, untracked=True)
        with XlatFastPath(setup, maps, Mtus()) as fast:
            assert fast.direct is (Direct.TCP if request.param else Direct.OFF)
            yield fast


WAYS = pytest.mark.parametrize(
    ("sender", "receiver", "family", "listen", "address"),
    [
        (CLIENT, SERVER, socket.AF_INET6, SERVER4, SERVER6),
        (SERVER, CLIENT, socket.AF_INET, CLIENT6, LEASE),
    ],
    ids=["6 to 4", "4 to 6"],
)


def opened(node: str, family: int, kind: int) -> socket.socket:
    """A socket of a node; it stays there."""
    with netns.inside(node):
        made = socket.socket(family, kind)
    made.settimeout(20)
    return made


def other(family: int) -> int:
    return socket.AF_INET if family == socket.AF_INET6 else socket.AF_INET6


def counted(path: XlatFastPath, sender: str) -> tuple[int, int]:
    """Packets and octets of IPv6 that the sender's side was translated in."""
    row = next(bpf.lease_counters(path))
    return (row[2], row[3]) if sender == CLIENT else (row[4], row[5])


def forwarded() -> int:
    """Octets of TCP and UDP that the kernel of the gateway has forwarded as IPv4."""
    shown = netns.run(GATEWAY, ["nft", "list", "table", "ip", "seen"]).stdout
    return int(shown.split(" bytes ")[1].split()[0])


@WAYS
def test_tcp(path: XlatFastPath, sender: str, receiver: str, family: int, listen: str, address: str) -> None:
    octets = random.Random(1).randbytes(OCTETS)
    with opened(receiver, other(family), socket.SOCK_STREAM) as listener, ThreadPoolExecutor(1) as pool:
        listener.bind((listen, 0))
        listener.listen()
        with opened(sender, family, socket.SOCK_STREAM) as client:
            client.connect((address, listener.getsockname()[1]))
            accepted, _ = listener.accept()
            accepted.settimeout(20)
            sending = pool.submit(client.sendall, octets)
            got = bytearray()
            with accepted:
                while len(got) < OCTETS and (data := accepted.recv(1 << 20)):
                    got += data
            sending.result()
    assert bytes(got) == octets
    packets, size = counted(path, sender)
    # A super-packet counts as the packets that it becomes, each with 40 octets of IPv6 and at least 20 of TCP.
    assert packets > OCTETS // 1460
    assert OCTETS + 60 * packets <= size <= OCTETS + 80 * packets + 200 * 1460
    if path.direct:
        assert 0 < forwarded() < OCTETS // 2
    else:
        assert forwarded() > OCTETS


@WAYS
def test_udp_super_packets(
    path: XlatFastPath, card: str, sender: str, receiver: str, family: int, listen: str, address: str
) -> None:
    if card == "off" and linux() < (6, 11):
        pytest.skip("before Linux 6.11 no socket sends super-packets of UDP by a card that sums nothing")
    octets = random.Random(2).randbytes(10 * SEGMENT - 300)
    with (
        opened(receiver, other(family), socket.SOCK_DGRAM) as server,
        opened(sender, family, socket.SOCK_DGRAM) as client,
    ):
        server.bind((listen, 0))
        client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SEGMENT)
        client.connect((address, server.getsockname()[1]))
        for number in (1, 2, 3):
            client.send(octets)
            got = [server.recv(2048) for _ in range(10)]
            assert b"".join(got) == octets and len(got[0]) == SEGMENT
            assert counted(path, sender) == (10 * number, number * (len(octets) + 10 * 48))


def test_ping_both_ways(path: XlatFastPath) -> None:
    for node, address in ((CLIENT, SERVER6), (SERVER, LEASE)):
        netns.run(node, ["ping", "-c", "2", "-i", "0.2", "-W", "5", address])
    assert next(bpf.lease_counters(path))[2:5:2] == (4, 4)


def test_a_packet_loses_three_hops_directly_or_not(path: XlatFastPath) -> None:
    """Two of the kernel's, one of the translator's, on either way."""
    with opened(SERVER, socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((SERVER4, 0))
        server.setsockopt(socket.IPPROTO_IP, 12, 1)  # IP_RECVTTL
        with opened(CLIENT, socket.AF_INET6, socket.SOCK_DGRAM) as client:
            client.connect((SERVER6, server.getsockname()[1]))
            for _ in range(3):  # the first one through the kernel
                client.send(b"x")
                _, ancillary, _, _ = server.recvmsg(10, 100)
                assert [value[0] for _, kind, value in ancillary if kind == 2] == [64 - 3]
