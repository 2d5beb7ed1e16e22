"""Asking again and again: packets are lost, and no probe waits longer than it was told."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike


def ask(
    send: Callable[[], object],
    sockets: Iterable[FileDescriptorLike],
    take: Callable[[], bool],
    wait: float,
    tries: int = 3,
) -> bool:
    """``send`` up to ``tries`` times within ``wait`` seconds, and ``take`` what comes in, until that says: enough.

    False when it never did.
    """
    poll = select.poll()
    for each in sockets:
        poll.register(each, select.POLLIN)
    begin = time.monotonic()
    for attempt in range(tries):
        send()
        until = begin + wait * (attempt + 1) / tries
        while (left := until - time.monotonic()) > 0 and poll.poll(left * 1000):
            if take():
                return True
    return False
