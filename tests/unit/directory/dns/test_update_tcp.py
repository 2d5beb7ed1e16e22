"""One message over TCP, there and back, with servers that break off or drip."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from manageout.directory.dns import update as dns_update
from manageout.directory.dns.update import over_tcp
from manageout.directory.dns.zones import Server

ASKED = b"question"


def served(serve: Callable[[socket.socket], None]) -> bytes:
    """What comes back from a server that does so with its one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(100) == len(ASKED).to_bytes(2, "big") + ASKED
                serve(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            return over_tcp(ASKED, Server(*listener.getsockname()))
        finally:
            thread.join()


def test_an_answer_in_pieces() -> None:
    def serve(connection: socket.socket) -> None:
        for byte in b"\0\3abc":
            connection.sendall(bytes([byte]))

    assert served(serve) == b"abc"


@pytest.mark.parametrize("sent", [b"", b"\0", b"\0\3", b"\0\3ab"])
def test_a_connection_that_ends_early(sent: bytes) -> None:
    with pytest.raises(EOFError):
        served(lambda connection: connection.sendall(sent))


def test_a_server_that_drips_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_update, "TIMEOUT", 0.2)
    left = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.sendall(b"\xff\xff")
        while not left.wait(0.02):
            try:
                connection.sendall(b"x")
            except OSError:
                return

    with pytest.raises(TimeoutError):
        served(serve)
    left.set()
