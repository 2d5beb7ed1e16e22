"""Two TLS streams on one pair of sockets: whatever the socket takes at once, the bytes arrive in order."""

from __future__ import annotations

import random
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from manageout.service.tls import contexts as tls
from manageout.service.tls.pki import Authority
from manageout.service.tls.stream import ANSWERS_MOST, HANDSHAKE_MOST, PLAIN, WRITE, TlsStream

Pair = tuple[TlsStream, TlsStream]


@pytest.fixture
def sockets(tmp_path: Path) -> Iterator[Pair]:
    authority = Authority.create(tmp_path, "CA")
    files = authority.issue("gateway", server=True)
    left, right = socket.socketpair()
    for sock in (left, right):
        sock.setblocking(False)
    server = TlsStream(left, tls.server_context(*files, None), server_side=True)
    context = tls.client_context(authority.certificate_path, None, None)
    client = TlsStream(right, context, server_hostname="gateway")
    yield server, client
    left.close()
    right.close()


@pytest.fixture
def streams(sockets: Pair) -> Pair:
    server, client = sockets
    ready = [False, False]
    for _ in range(20):
        ready = [ready[0] or server.handshake(), ready[1] or client.handshake()]
        if all(ready):
            return server, client
    raise AssertionError("no handshake")


def test_bytes_arrive_in_order_when_the_socket_is_full(streams: Pair) -> None:
    server, client = streams
    source = random.Random(1)
    parts = [source.randbytes(source.choice([1, 60, 1280, WRITE, WRITE + 1])) for _ in range(60)]
    room, received = memoryview(bytearray(PLAIN)), bytearray()
    client.send(parts)
    assert client.queued > 0
    wanted = b"".join(parts)
    while len(received) < len(wanted):
        received += room[: server.receive(room)]
        client.flush()
    assert received == wanted
    assert client.queued == 0 and client.flush()


def test_every_record_that_one_read_brought_is_there(streams: Pair) -> None:
    server, client = streams
    room = memoryview(bytearray(PLAIN))
    parts = [bytes([number]) * (number + 1) for number in range(50)]
    for part in parts:
        client.send([part])  # a record each
    assert bytes(room[: server.receive(room)]) == b"".join(parts)
    assert server.receive(room) == 0


def test_no_more_is_read_at_once_than_asked_for(streams: Pair) -> None:
    server, client = streams
    room = memoryview(bytearray(PLAIN))
    client.send([bytes(100)] * 100)
    sizes: list[int] = []
    while sum(sizes) < 10_000:
        sizes.append(server.receive(room, 1000))
    assert max(sizes) <= 10_000 and len(sizes) > 9


def test_nothing_there_is_zero_and_the_end_is_the_end(streams: Pair) -> None:
    server, client = streams
    room = memoryview(bytearray(PLAIN))
    assert server.receive(room) == 0
    client.send([b"last words"])
    client.close()
    assert bytes(room[: server.receive(room)]) == b"last words"
    with pytest.raises(EOFError):
        server.receive(room)


def test_a_socket_that_just_ends_is_the_end_too(streams: Pair) -> None:
    server, client = streams
    client.sock.close()
    with pytest.raises((EOFError, ConnectionResetError)):
        server.receive(memoryview(bytearray(PLAIN)))


def test_rubbish_is_no_handshake(sockets: Pair) -> None:
    server, client = sockets
    client.sock.send(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ssl.SSLError):
        server.handshake()
    client.sock.close()
    server.close()


def test_bytes_read_by_somebody_else_are_not_lost(sockets: Pair) -> None:
    server, client = sockets
    assert not client.handshake()
    hello = server.sock.recv(65536)
    server.feed(hello)
    for _ in range(10):
        if server.handshake() and client.handshake():
            break
        client.handshake()
    else:
        raise AssertionError("no handshake")


def test_what_openssl_answers_by_itself_is_sent_and_bounded(streams: Pair) -> None:
    """A refused renegotiation is an alert of 31 bytes, which OpenSSL only puts where we fetch it."""
    server, client = streams
    room = memoryview(bytearray(PLAIN))
    server._outgoing.write(b"alert")
    server.receive(room)
    assert client.sock.recv(100) == b"alert"
    while not server.queued:
        server.send([bytes(WRITE)])
    waiting = server.queued
    with pytest.raises(OSError, match="does not take the answers"):
        for _ in range(ANSWERS_MOST):
            server._outgoing.write(b"alert")
            server.receive(room)
    assert server.queued <= waiting + ANSWERS_MOST + 5


def test_a_handshake_has_a_limit_of_bytes(sockets: Pair) -> None:
    server, client = sockets
    # Pieces of a client hello that is as long as OpenSSL lets it be, and so is not refused by OpenSSL itself.
    client.sock.sendall(b"\x16\x03\x01\x40\x00\x01\x01\xff\x00" + bytes(16384 - 4))
    with pytest.raises(ssl.SSLError, match="the handshake is too long"):
        while not server.handshake():
            client.sock.sendall(b"\x16\x03\x01\x40\x00" + bytes(16384))
    assert server._greeted <= HANDSHAKE_MOST
