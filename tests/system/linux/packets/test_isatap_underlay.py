"""The raw sockets of ISATAP against the kernel, over a small link."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address

import pytest

from manageout.linux.packets.isatap_underlay import IsatapUnderlay
from manageout.protocol.isatap.errors import FailedDelivery, failed_delivery
from manageout.wire import icmpv4, ipv4

HERE, THERE, NOBODY = (IPv4Address(f"10.77.0.{last}").packed for last in (1, 2, 9))
INNER = b"\x60" + bytes(39)


@pytest.fixture
def link(namespaces: Callable[[str], str]) -> Iterator[IsatapUnderlay]:
    """10.77.0.1 here, 10.77.0.2 in a namespace, MTU 600 between them, and a capture of what arrives there."""
    far = namespaces("mo-raw")
    for command in (
        f"ip link add mo-raw0 type veth peer name mo-raw1 netns {far}",
        "ip link set mo-raw0 mtu 600 up",
        "ip address add 10.77.0.1/24 dev mo-raw0",
        f"ip -n {far} link set mo-raw1 mtu 600 up",
        f"ip -n {far} link set lo up",
        f"ip -n {far} address add 10.77.0.2/24 dev mo-raw1",
    ):
        subprocess.run(command.split(), check=True)
    raw = IsatapUnderlay()
    try:
        yield raw
    finally:
        raw.close()
        subprocess.run(["ip", "link", "delete", "mo-raw0"], check=False)


def waited(read: Callable[[], list[bytes]]) -> list[bytes]:
    for _ in range(200):
        found = read()
        if found:
            return found
        time.sleep(0.02)
    return []


def test_a_packet_goes_out_as_it_is_and_comes_in_whole(link: IsatapUnderlay) -> None:
    sent = ipv4.build(HERE, HERE, 41, INNER, tos=2, ident=77)
    link.send([sent, sent])
    (first, *_) = waited(link.receive)
    assert first == sent
    assert link.refused == 0


def test_no_proto_41_there_is_an_icmp_error_here(link: IsatapUnderlay) -> None:
    link.send([ipv4.build(HERE, THERE, 41, INNER, ident=78)])
    (error, *_) = waited(link.receive_errors)
    header, payload = ipv4.parse(error)
    message = icmpv4.parse(payload)
    assert header.src == THERE
    assert (message.type, message.code) == (3, icmpv4.PROTOCOL_UNREACHABLE)
    assert message.quoted()[1] == INNER


def test_rfc5214_7_2_an_arp_failure_is_told_as_an_icmp_error(link: IsatapUnderlay) -> None:
    """The kernel tells itself: the machines need no ear for ARP."""
    for limit, value in (("mcast_solicit", "1"), ("retrans_time_ms", "50")):
        subprocess.run(["sysctl", "-q", f"net.ipv4.neigh.mo-raw0.{limit}={value}"], check=True)
    link.send([ipv4.build(HERE, NOBODY, 41, INNER, ident=80)])
    (error, *_) = waited(link.receive_errors)
    assert failed_delivery(error) == FailedDelivery(HERE, NOBODY, INNER)


def test_echoes_are_not_read(link: IsatapUnderlay) -> None:
    subprocess.run(["ping", "-c", "1", "-W", "2", "10.77.0.2"], check=True, stdout=subprocess.DEVNULL)
    assert link.receive_errors() == []


def test_what_does_not_fit_the_link_is_fragmented(link: IsatapUnderlay) -> None:
    capture = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    capture.bind(("mo-raw0", 3))
    capture.settimeout(5)
    large = ipv4.build(HERE, THERE, 41, INNER + bytes(1240), tos=1, ttl=63)
    link.send([large])
    pieces: list[bytes] = []
    while len(pieces) < 3:
        packet = capture.recv(2000)
        if packet[0] >> 4 == 4 and packet[9] == 41:
            pieces.append(packet)
    capture.close()
    headers = [ipv4.parse(piece) for piece in pieces]
    assert b"".join(payload for _, payload in headers) == large[20:]
    assert {(h.tos, h.ttl, h.dont_fragment, h.src, h.dst) for h, _ in headers} == {
        (1, 63, False, HERE, THERE)
    }
    assert len({h.ident for h, _ in headers}) == 1
    # The next one goes out as it is again.
    link.send([ipv4.build(HERE, HERE, 41, INNER, ident=79)])
    assert ipv4.parse(waited(link.receive)[-1])[0].ident == 79


def test_what_cannot_be_sent_is_counted_and_does_no_harm(link: IsatapUnderlay) -> None:
    subprocess.run(["ip", "route", "add", "unreachable", "10.88.0.0/16"], check=True)
    try:
        link.send([ipv4.build(HERE, IPv4Address("10.88.0.1").packed, 41, INNER)])
    finally:
        subprocess.run(["ip", "route", "delete", "unreachable", "10.88.0.0/16"], check=True)
    assert link.refused == 1
