"""Errors about what a socket has sent, from the kernel itself."""

from __future__ import annotations

import errno
import select
import socket

import pytest

from manageout.linux.packets import error_queue

LOOPBACK = {socket.AF_INET: ("127.0.0.1", 3, 3), socket.AF_INET6: ("::1", 1, 4)}
"""The address, and type and code of Port Unreachable."""


def asked(family: socket.AddressFamily, times: int = 1, *, enabled: bool = True) -> socket.socket:
    """A socket that has sent to ports where nobody listens."""
    host = LOOPBACK[family][0]
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if enabled:
        error_queue.enable(sock)
    for _ in range(times):
        with socket.socket(family, socket.SOCK_DGRAM) as closed:
            closed.bind((host, 0))
            place = closed.getsockname()
        try:
            sock.sendto(b"?", place)
        except ConnectionRefusedError:  # the error before it
            sock.sendto(b"?", place)
    return sock


@pytest.mark.parametrize("family", LOOPBACK)
def test_who_said_what(family: socket.AddressFamily) -> None:
    host, kind, code = LOOPBACK[family]
    with asked(family) as sock:
        assert select.select([], [], [sock], 10)[2] or select.select([sock], [], [], 10)[0]
        assert error_queue.take(sock) == [(errno.ECONNREFUSED, host, kind, code, 0)]
        assert error_queue.take(sock) == [], "each is told once"


def test_several_are_told_in_their_order() -> None:
    with asked(socket.AF_INET, 3) as sock:
        assert [one.number for one in error_queue.take(sock)] == [errno.ECONNREFUSED] * 3


def test_nothing_is_told_where_nobody_wanted_to_hear_it() -> None:
    with asked(socket.AF_INET, enabled=False) as sock:
        assert error_queue.take(sock) == []


def test_no_more_than_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_queue, "_MAX_WAITING", 2)
    with asked(socket.AF_INET, 3) as sock:
        assert [len(error_queue.take(sock)) for _ in range(3)] == [2, 1, 0]
