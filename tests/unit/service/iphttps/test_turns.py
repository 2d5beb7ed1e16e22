"""What goes to many clients goes in turns, and in order."""

from collections.abc import Callable, Sequence
from itertools import chain

from manageout.service.iphttps.turns import MOST, SLICE, Turns

CLIENTS = MOST * 2


class Loop:
    """What was sent, and what is to be called in the next turn."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []
        self.soon: list[Callable[[], None]] = []
        self.turns = Turns(self.send, self.soon.append)

    def send(self, number: int, data: Sequence[bytes]) -> None:
        self.sent += [(number, part) for part in data]

    def turn(self) -> list[tuple[int, bytes]]:
        """What one turn sends."""
        calls = self.soon.copy()
        self.soon.clear()
        for call in calls:
            call()
        return self.taken()

    def taken(self) -> list[tuple[int, bytes]]:
        found, self.sent = self.sent, []
        return found


def test_a_batch_of_the_kernels_goes_at_once() -> None:
    loop = Loop()
    loop.turns.take([(number, [b"a", b"b"]) for number in range(MOST)])
    assert loop.taken() == [(number, part) for number in range(MOST) for part in (b"a", b"b")]
    assert not loop.soon


def test_a_multicast_leaves_the_loop_to_others_again_and_again() -> None:
    loop = Loop()
    loop.turns.take([(number, [b"all"]) for number in range(CLIENTS)])
    turns = [loop.taken()]
    while loop.soon:
        turns.append(loop.turn())
    assert max(map(len, turns)) == SLICE
    assert list(chain.from_iterable(turns)) == [(number, b"all") for number in range(CLIENTS)]


def test_each_client_gets_what_it_gets_in_order_and_nobody_else_has_to_wait() -> None:
    loop = Loop()
    loop.turns.take([(number, [b"all"]) for number in range(CLIENTS)])
    loop.taken()
    last = CLIENTS - 1
    loop.turns.take([(last, [b"more"]), (CLIENTS, [b"new"])])
    assert loop.taken() == [(last, b"all"), (last, b"more"), (CLIENTS, b"new")]


def test_several_multicasts_at_once_keep_their_order() -> None:
    loop, sent = Loop(), list[tuple[int, bytes]]()
    for word in (b"1", b"2", b"3"):
        loop.turns.take([(number, [word]) for number in range(CLIENTS)])
    sent += loop.taken()
    while loop.soon:
        sent += loop.turn()
    for number in range(CLIENTS):
        assert [part for to, part in sent if to == number] == [b"1", b"2", b"3"]


def test_who_goes_gets_the_rest_first() -> None:
    loop = Loop()
    loop.turns.take([(number, [b"all"]) for number in range(CLIENTS)])
    loop.taken()
    for _ in range(2):  # the second time there is nothing
        loop.turns.finish(CLIENTS - 1)
    assert loop.taken() == [(CLIENTS - 1, b"all")]
    rest = []
    while loop.soon:
        rest += loop.turn()
    assert rest == [(number, b"all") for number in range(SLICE, CLIENTS - 1)]
