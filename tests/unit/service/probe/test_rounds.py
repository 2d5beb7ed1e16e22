"""Questions that are asked again while nobody answers."""

from __future__ import annotations

import socket

from manageout.service.probe import rounds


def test_it_asks_again_until_enough_has_come() -> None:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    sent: list[int] = []
    taken: list[bytes] = []

    def send() -> None:
        sent.append(len(sent))
        if len(sent) == 2:  # the first is lost
            there.send(b"other")
            there.send(b"answer")

    def take() -> bool:
        taken.append(here.recv(100))
        return taken[-1] == b"answer"

    with here, there:
        assert rounds.ask(send, [here], take, 0.3)
    assert (sent, taken) == ([0, 1], [b"other", b"answer"])


def test_nobody_answers() -> None:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    sent: list[int] = []
    with here, there:
        assert not rounds.ask(lambda: sent.append(1), [here], lambda: True, 0.05, 4)
    assert len(sent) == 4


def test_answers_that_are_none_do_not_hold_it_up() -> None:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with here, there:
        there.send(b"never taken")
        assert not rounds.ask(lambda: None, [here], lambda: False, 0.05)
