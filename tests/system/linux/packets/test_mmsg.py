"""Many packets a system call, over loopback."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator

import pytest

from manageout.linux.host import netns
from manageout.linux.packets.isatap_underlay import BATCH, IsatapUnderlay
from manageout.linux.packets.mmsg import Datagrams, ReceiveBatch
from manageout.wire import ipv4

HERE, THERE = bytes([127, 0, 0, 1]), bytes([127, 0, 0, 2])
SIZE = 1280


@pytest.fixture
def raw(namespaces: Callable[[str], str]) -> Iterator[IsatapUnderlay]:
    namespaces("mo-test-mmsg")
    with netns.inside("mo-test-mmsg"):
        sock = IsatapUnderlay()
        yield sock
        sock.close()


def take(inbox: ReceiveBatch, wanted: int) -> list[bytes]:
    """As many packets as are wanted, in as many calls as it takes."""
    got: list[bytes] = []
    for _ in range(1000):
        got += [inbox.packet(slot, length) for slot, length in enumerate(inbox.receive())]
        if len(got) >= wanted:
            break
    return got


def test_short_and_long_packets_come_whole(raw: IsatapUnderlay) -> None:
    inbox = raw.inbox(20 + SIZE)
    bodies = [bytes([n]) * size for n, size in enumerate((0, 1, SIZE - 1, SIZE, SIZE + 1, 20_000, 65_000))]
    raw.send(ipv4.build(HERE, THERE, 41, body) for body in bodies)
    assert [ipv4.parse(packet)[1] for packet in take(inbox, len(bodies))] == bodies
    assert inbox.receive() == []


def test_more_than_a_call_takes(raw: IsatapUnderlay) -> None:
    inbox = raw.inbox(20 + SIZE)
    bodies = [n.to_bytes(2, "big") for n in range(BATCH * 2 + 5)]
    raw.send(ipv4.build(HERE, THERE, 41, body) for body in bodies)
    assert len(inbox.receive()) == BATCH
    raw.send([ipv4.build(HERE, THERE, 41, b"last")])
    rest = take(inbox, BATCH + 6)
    assert [ipv4.parse(packet)[1] for packet in rest] == [*bodies[BATCH:], b"last"]


def test_packets_of_a_block_get_a_header_each(raw: IsatapUnderlay) -> None:
    inbox, block = raw.inbox(20 + SIZE), memoryview(bytearray(SIZE * 10))
    for slot in range(10):
        block[slot * SIZE : (slot + 1) * SIZE] = bytes([slot]) * SIZE
    outbox = raw.outbox(block, SIZE)
    assert outbox.send(ipv4.build(HERE, THERE, 41, bytes(SIZE), tos=2, ttl=63)[:20], 3, 5) == 5
    packets = [ipv4.parse(packet) for packet in take(inbox, 5)]
    assert [body for _, body in packets] == [bytes([slot]) * SIZE for slot in range(3, 8)]
    assert {(header.src, header.dst, header.tos, header.ttl) for header, _ in packets} == {
        (HERE, THERE, 2, 63)
    }
    assert len({header.ident for header, _ in packets}) == 5
    assert not any(header.dont_fragment for header, _ in packets)


def test_what_the_kernel_refuses_is_not_counted_as_sent(raw: IsatapUnderlay) -> None:
    outbox = raw.outbox(memoryview(bytearray(SIZE * 4)), SIZE)
    nowhere = bytes([192, 0, 2, 1])
    assert outbox.send(ipv4.build(HERE, nowhere, 41, bytes(SIZE))[:20], 0, 4) == 0


@pytest.fixture
def served(namespaces: Callable[[str], str]) -> Iterator[tuple[socket.socket, list[socket.socket]]]:
    """A server at ``::1``, and three clients at addresses of their own that know no other."""
    namespaces("mo-test-mmsg")
    with netns.inside("mo-test-mmsg"):
        socks = [socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) for _ in range(4)]
        for number, sock in enumerate(socks[1:], 1):
            netns.run("mo-test-mmsg", ["ip", "address", "add", f"fd12::{number}/128", "dev", "lo", "nodad"])
            sock.bind((f"fd12::{number}", 0))
            sock.settimeout(10)
        socks[0].bind(("::1", 0))
        for sock in socks[1:]:
            sock.connect(socks[0].getsockname())
        yield socks[0], socks[1:]
        for sock in socks:
            sock.close()


def serve(server: socket.socket, datagrams: Datagrams, count: int) -> Iterator[tuple[int, bytes]]:
    """Slot and question of so many, in as many calls as it takes; refused ones are those of slot -1."""
    while count > 0:
        select.select([server], [], [], 10)
        questions = datagrams.receive()
        assert questions
        yield from enumerate(questions)
        yield from [(-1, b"")] * datagrams.send(0, len(questions))
        count -= len(questions)


def test_answers_go_to_whoever_asked(served: tuple[socket.socket, list[socket.socket]]) -> None:
    server, clients = served
    datagrams = Datagrams(server, 16, 8)
    assert datagrams.receive() == []
    for turn in range(3):  # the answers of one turn say nothing about the room of the next
        for number, client in enumerate(clients):
            client.send(bytes([turn, number]) * (4 + 8 * number))
        for slot, question in serve(server, datagrams, 3):
            number = question[1]
            assert question == (bytes([turn, number]) * (4 + 8 * number))[:16]
            name = clients[number].getsockname()
            assert datagrams.name(slot) == name
            assert datagrams.source(slot) == socket.inet_pton(socket.AF_INET6, name[0])
            datagrams.answer(slot, bytes([turn + number]) * (1 + number))
        assert [client.recv(64) for client in clients] == [bytes([turn + n]) * (1 + n) for n in range(3)]


def test_who_cannot_be_answered_keeps_nobody_else_waiting(
    served: tuple[socket.socket, list[socket.socket]],
) -> None:
    server, clients = served
    datagrams, refused = Datagrams(server, 16, 8), 0
    for client in clients:
        client.send(b"question")
    netns.run("mo-test-mmsg", ["ip", "address", "delete", "fd12::2/128", "dev", "lo"])
    for slot, _ in serve(server, datagrams, 3):
        if slot < 0:
            refused += 1
        else:
            datagrams.answer(slot, b"answer")
    assert refused == 1
    assert [client.recv(64) for client in (clients[0], clients[2])] == [b"answer"] * 2
