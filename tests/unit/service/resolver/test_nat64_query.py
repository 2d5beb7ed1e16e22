"""One question for the NAT64 prefixes, to a real server on loopback."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from ipaddress import IPv6Network
from pathlib import Path

import dns.message
import dns.rrset
import pytest

from manageout.service.resolver.nat64_query import prefixes

Handler = Callable[[dns.message.Message], bytes]


@pytest.fixture
def server() -> Iterator[Callable[[Handler], int]]:
    """Starts a server that answers each question as told; gives its port."""
    threads: list[threading.Thread] = []
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))

    def serve(handler: Handler) -> int:
        def loop() -> None:
            while (received := sock.recvfrom(4096))[0] != b"end":
                sock.sendto(handler(dns.message.from_wire(received[0])), received[1])

        threads.append(threading.Thread(target=loop))
        threads[-1].start()
        return int(sock.getsockname()[1])

    yield serve
    for thread in threads:
        sock.sendto(b"end", sock.getsockname())
        thread.join()
    sock.close()


def dns64(query: dns.message.Message) -> bytes:
    answer = dns.message.make_response(query)
    answer.answer.append(
        dns.rrset.from_text(
            query.question[0].name, 60, "IN", "AAAA", "fd12::7777:c000:aa", "fd12::7777:c000:ab"
        )
    )
    return answer.to_wire()


def test_the_prefix_of_a_dns64(server: Callable[[Handler], int], tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 127.0.0.1\n")
    port = server(lambda query: dns.message.make_response(query).to_wire())
    assert prefixes(file, port) == []
    file.write_text("nameserver ::1\nnameserver 127.0.0.1\n")  # nobody listens on ::1
    assert prefixes(file, port) == []


def test_the_first_server_that_answers_decides(server: Callable[[Handler], int], tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver ::1\nnameserver 127.0.0.1\n")
    assert prefixes(file, server(dns64)) == [IPv6Network("fd12::7777:0:0/96")]


def test_no_file_no_server_no_time(tmp_path: Path) -> None:
    assert prefixes(tmp_path / "none") == []
    file = tmp_path / "resolv.conf"
    file.write_text("# nothing\n")
    assert prefixes(file) == []
    file.write_text("nameserver 127.0.0.1\n")
    assert prefixes(file, 9, itertools.count(step=10).__next__) == []
