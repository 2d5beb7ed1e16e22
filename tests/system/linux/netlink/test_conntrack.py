"""The table of connections, against connections that are really there."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from manageout.lab.process import wait_until
from manageout.linux.host import netns, sysctl
from manageout.linux.netlink import conntrack, conntrack_walk
from manageout.linux.netlink.conntrack import ConntrackEntry
from manageout.linux.nft import program as nft
from tests.tools.packet_filter import replace_table

ONE = socket.inet_pton(socket.AF_INET6, "::1")
BODY = """
chain output { type filter hook output priority 0; ct state established accept; }
chain source { type nat hook postrouting priority srcnat; ip6 daddr ::1 udp dport 9 snat ip6 to fd00::1; }
"""
MARKED = "chain marked { type filter hook output priority 1; ct mark 0x40000001 drop; }"


@pytest.fixture(autouse=True)
def tracked(namespaces: Callable[[str], str]) -> Iterator[None]:
    name = namespaces("mo-test-tracked")
    subprocess.run(["ip", "-n", name, "address", "add", "fd00::1/128", "dev", "lo", "nodad"], check=True)
    with netns.inside(name):
        replace_table(nft.TABLE, BODY)
        sysctl.set(conntrack.ACCOUNTING, 1)
        sysctl.set(conntrack.TIMESTAMPS, 1)
        yield


def found() -> list[ConntrackEntry]:
    return list(conntrack.connections(lambda source, destination: destination == ONE))


def test_a_connection_with_its_bytes_and_its_age() -> None:
    server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    here = socket.create_connection(server.getsockname()[:2])
    there, _ = server.accept()
    with server, here, there:
        here.sendall(bytes(1000))
        there.sendall(bytes(10))
        (connection,) = wait_until("established", found, 5)
        ports = (connection.source_port, connection.port)
        assert ports == (here.getsockname()[1], server.getsockname()[1])
        assert (connection.protocol, connection.state) == (6, "established")
        assert connection.sent_bytes > 1000 > connection.received_bytes > 0
        assert connection.start is not None
        assert abs(connection.start - time.time()) < 60


def test_an_unanswered_datagram_and_a_rewritten_source() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("::1", 9))
    (connection,) = found()
    assert (connection.protocol, connection.port, connection.state) == (17, 9, "unreplied")
    assert connection.source == ONE
    assert connection.seen_as == socket.inet_pton(socket.AF_INET6, "fd00::1")


def test_what_nobody_asked_for_is_left_out() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("fd00::1", 9))
    assert found() == []


def sent_to(port: int) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("::1", port))


def test_what_an_address_has_is_forgotten_in_both_families_and_the_rest_is_not() -> None:
    sent_to(10)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("fd00::1", 9))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.2", 9))
        sender.sendto(b"x", ("127.0.0.3", 9))
    gone = {socket.inet_pton(socket.AF_INET6, "fd00::1"), socket.inet_aton("127.0.0.2")}
    assert sum(conntrack_walk.forget_of(gone.__contains__)) == 2
    assert sum(conntrack_walk.forget_of(gone.__contains__)) == 0
    assert [connection.port for connection in found()] == [10]
    assert sum(conntrack_walk.forget_of({socket.inet_aton("127.0.0.3")}.__contains__)) == 1
