"""A paced UDP flow between two sockets, each datagram with its number: what is lost is known by its number.

One answer makes a connection of it; then it goes one way.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from manageout.lab.process import wait_until

PAUSE = 0.001
STRAY = 20
"""Datagrams of thousands that a crowded machine may drop somewhere; a pause of a tenth of a second costs a hundred."""
_SO_RCVBUFFORCE = 33


class Datagrams(Protocol):
    """A UDP socket, or what does for one."""

    def sendto(self, data: bytes, to: Any, /) -> Any:
        """One datagram."""

    def recvfrom(self, size: int, /) -> tuple[bytes, Any]:
        """One, and who sent it."""

    def settimeout(self, seconds: float | None, /) -> None:
        """For receiving."""

    def setsockopt(self, level: int, option: int, value: int, /) -> None:
        """As of a socket."""

    def close(self) -> None:
        """It is used no more."""


class PacedFlow:
    """Sends from ``with`` to :meth:`lost`, about a thousand datagrams a second. Both sockets are its own."""

    def __init__(self, sender: Datagrams, to: tuple[str, int], receiver: Datagrams) -> None:
        self._sender, self._to, self._receiver = sender, to, receiver
        self._receiver.settimeout(0.2)
        # What this process is too slow for must not count as lost: the default holds a quarter of a second.
        self._receiver.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 16 << 20)
        self.sent = 0
        self._refused = 0
        self._got: set[int] = set()
        self._ends, self._ended = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._send, self._receive)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.set()
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self._sender.close()
        self._receiver.close()

    def _send(self) -> None:
        while not self._ends.is_set():
            try:
                self._sender.sendto(self.sent.to_bytes(8, "big"), self._to)
            except OSError:  # an ICMP error about one before, or no room
                self._refused += 1
            self.sent += 1
            time.sleep(PAUSE)

    def _receive(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                number, sender = self._receiver.recvfrom(100)
                if not self._got:
                    self._receiver.sendto(b"", sender)
                self._got.add(int.from_bytes(number, "big"))

    def goes_on(self, packets: int = 100) -> None:
        """Wait until as many datagrams that are sent from now on have come."""
        since = self.sent
        wait_until("the flow goes on", lambda: self._since(since) >= packets, 30)

    def stands(self) -> None:
        """Wait until of a hundred that were sent none has come."""

        def nothing() -> bool:
            since = self.sent
            wait_until("a hundred are sent", lambda: self.sent >= since + 100, 30)
            return self._since(since) == 0

        wait_until("nothing comes", nothing, 30)

    def _since(self, number: int) -> int:
        return sum(each in self._got for each in range(number, self.sent))

    def lost(self) -> Mapping[int, str]:
        """Of all that were sent since the first that came, before which the way was not open; the last get a moment."""
        self._ends.set()
        self._threads[0].join()
        with contextlib.suppress(Exception):
            wait_until("the last have come", lambda: not self._missing(), 3)
        return dict.fromkeys(self._missing(), "lost")

    def _missing(self) -> list[int]:
        got = self._got.copy()  # more may come meanwhile
        return [each for each in range(min(got), self.sent) if each not in got]
