"""Connections that begin and end, as the kernel tells it; and the program that keeps the rest away."""

from __future__ import annotations

import select
import socket
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import IPv6Network

import pytest

from manageout.lab.process import wait_until
from manageout.linux.host import netns, sysctl
from manageout.linux.netlink import conntrack
from manageout.linux.netlink.conntrack_events import ConnectionEvents, Event
from manageout.linux.nft import program as nft
from tests.tools.packet_filter import replace_table

BODY = "chain output { type filter hook output priority 0; ct state established accept; }"
PREFIXES = [IPv6Network("fd00:0:0:1000::/59"), IPv6Network("fd01::7/128")]
ADDRESSES = (
    "fd00:0:0:1000::1",
    "fd00:0:0:101f::1",
    "fd00:0:0:1020::1",
    "fd00:0:0:fff::1",
    "fd01::7",
    "fd01::6",
)


@pytest.fixture(autouse=True)
def tracked(namespaces: Callable[[str], str]) -> Iterator[None]:
    name = namespaces("mo-test-events")
    for address in ADDRESSES:
        subprocess.run(
            ["ip", "-n", name, "address", "add", f"{address}/128", "dev", "lo", "nodad"], check=True
        )
    with netns.inside(name):
        replace_table(nft.TABLE, BODY)
        sysctl.set(conntrack.ACCOUNTING, 1)
        sysctl.set(conntrack.TIMESTAMPS, 1)
        yield


@pytest.fixture
def events() -> Iterator[ConnectionEvents]:
    made = ConnectionEvents(PREFIXES)
    yield made
    made.close()


def send(address: str, family: socket.AddressFamily = socket.AF_INET6) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", (address, 9))


def read(events: ConnectionEvents, count: int) -> list[Event]:
    found: list[Event] = []

    def enough() -> bool:
        select.select([events], [], [], 1)
        found.extend(events.read())
        return len(found) >= count

    wait_until(f"{count} events", enough, 10)
    return found


def test_only_what_goes_to_the_prefixes(events: ConnectionEvents) -> None:
    for address in ADDRESSES:
        send(address)
    send("127.0.0.1", socket.AF_INET)
    send(ADDRESSES[4])  # the last: when it is here, so is everything
    found = read(events, 4)
    told = [socket.inet_ntop(socket.AF_INET6, event.connection.destination) for event in found]
    assert told == [ADDRESSES[0], ADDRESSES[1], ADDRESSES[4], ADDRESSES[4]]
    assert not any(event.ended for event in found)
    assert {(event.connection.protocol, event.connection.port) for event in found} == {(17, 9)}


def test_the_kernel_keeps_the_rest_away(events: ConnectionEvents) -> None:
    for address in (ADDRESSES[2], ADDRESSES[3], ADDRESSES[5]):
        send(address)
    send("127.0.0.1", socket.AF_INET)
    send(ADDRESSES[0])
    assert select.select([events], [], [], 10)[0]
    assert len(events.notifications()) == 1


def test_the_end_comes_with_the_counters(events: ConnectionEvents) -> None:
    server = socket.create_server((ADDRESSES[0], 0), family=socket.AF_INET6)
    port = server.getsockname()[1]
    here = socket.create_connection((ADDRESSES[0], port))
    there, _ = server.accept()
    with server, here, there:
        here.sendall(bytes(1000))
        (begun,) = read(events, 1)
        assert not begun.ended
        subprocess.run(["conntrack", "-D", "-f", "ipv6", "-p", "tcp"], check=True, capture_output=True)
        (ended,) = read(events, 1)
    assert ended.ended
    assert ended.connection.sent_bytes > 1000
    assert ended.connection.port == begun.connection.port == port


def test_lost_events_are_noticed(events: ConnectionEvents) -> None:
    events.option(socket.SO_RCVBUF, 1)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        for port in range(1, 200):
            sender.sendto(b"x", (ADDRESSES[0], port))
    assert 0 < len(list(events.read())) < 199
    assert events.lost
