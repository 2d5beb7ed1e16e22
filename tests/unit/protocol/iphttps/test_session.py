"""Sessions and the outbox."""

from __future__ import annotations

from manageout.protocol.core.drops import Drop
from manageout.protocol.iphttps.session import MAX_DROP_SOURCES, Outbox, Session
from manageout.protocol.iphttps.values import TUN, Peer
from manageout.wire.iphttps import OwnFramer
from tests.tools.machines.iphttps import BEYOND, datagram, gua

PACKET = datagram(BEYOND, gua(1))


def session(number: int, own: bool = False) -> Session:
    made = Session(number, number, Peer("192.0.2.1", number, None), 5.0)
    made.establish(own)
    return made


def test_chunks_are_taken_once_and_in_order() -> None:
    outbox, first, second = Outbox(False), session(1), session(2)
    outbox.packet(first, PACKET)
    outbox.stream(second, b"head")
    outbox.packet(first, PACKET)
    outbox.kernel(PACKET)
    assert outbox.take() == [(TUN, [PACKET]), (1, [PACKET, PACKET]), (2, [b"head"])]
    assert outbox.take() == []
    assert (first.packets_out, first.bytes_out) == (2, 2 * len(PACKET))
    assert second.packets_out == 0


def test_packets_wear_what_their_way_needs() -> None:
    outbox, own = Outbox(True), session(1, own=True)
    outbox.packet(own, PACKET)
    outbox.super_packet(own, bytes(10) + PACKET)
    outbox.kernel(PACKET)
    (_, kernel), (_, chunks) = outbox.take()
    assert kernel == [bytes(10) + PACKET]
    assert OwnFramer().feed(b"".join(chunks)) == [(0, PACKET), (1, bytes(10) + PACKET)]
    assert (own.packets_out, own.bytes_out) == (2, 2 * len(PACKET))


def test_drops_are_bounded_by_client_and_exact_in_total() -> None:
    outbox = Outbox(False)
    for n in range(MAX_DROP_SOURCES + 100):
        outbox.drop(Drop.NOT_OWNER, f"client{n}")
    assert outbox.drops.totals == {Drop.NOT_OWNER: MAX_DROP_SOURCES + 100}
    assert len(outbox.drops.by_source()) == MAX_DROP_SOURCES


def test_what_is_seen_of_a_session() -> None:
    seen = session(7, own=True)
    assert (seen.number, seen.name, seen.framing, seen.since, seen.last_seen) == (
        7,
        "192.0.2.1",
        "own",
        5.0,
        5.0,
    )
    assert session(8, own=False).framing == "stock"


def test_a_client_that_does_not_read_is_not_remembered() -> None:
    outbox, slow = Outbox(False), session(1)
    slow.blocked = True
    outbox.packet(slow, PACKET)
    outbox.super_packet(slow, bytes(10) + PACKET)
    assert outbox.take() == [] and slow.packets_out == 0
    assert outbox.drops.totals == {Drop.QUEUE_FULL: 2}
