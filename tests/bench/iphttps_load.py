"""Strangers or newcomers at the gateway's door: ``python -m tests.bench.iphttps_load KIND RATE SECONDS ...``.

Both print one JSON object when they are done.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count, cycle

from manageout.wire.iphttps import build_request
from tests.bench.leases_load import context
from tests.tools.places.iphttps import GATEWAY_NAME, GATEWAY_V4

IN_FLIGHT = 1024
BURST = 32
THREADS = 16
PATIENCE = 10.0
IP_BIND_ADDRESS_NO_PORT = 24


class Strangers:
    """Each says the same client hello, from one address after the other, and goes when it has an answer.

    Nothing is computed for it here, so that what is measured is the gateway.
    """

    def __init__(self, addresses: list[str]) -> None:
        self._addresses = cycle(addresses)
        self._hello = client_hello()
        self._epoll = select.epoll()
        self._open: dict[int, socket.socket] = {}
        self.begun = self.answered = self.refused = 0

    def run(self, rate: float, seconds: float) -> None:
        start = time.monotonic()
        while (passed := time.monotonic() - start) < seconds:
            due = min(int(passed * rate) - self.begun, BURST, IN_FLIGHT - len(self._open))
            for _ in range(due):
                self._begin()
            for descriptor, event in self._epoll.poll(0.001):
                self._on_event(descriptor, event)

    def _begin(self) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.bind((next(self._addresses), 0))
        sock.connect_ex((GATEWAY_V4, 443))
        self.begun += 1
        self._open[sock.fileno()] = sock
        self._epoll.register(sock, select.EPOLLOUT)

    def _on_event(self, descriptor: int, event: int) -> None:
        sock = self._open[descriptor]
        try:
            if event & select.EPOLLOUT and not event & (select.EPOLLERR | select.EPOLLHUP):
                sock.send(self._hello)
                self._epoll.modify(sock, select.EPOLLIN)
                return
            served = bool(sock.recv(4096))
        except OSError:
            served = False
        self.answered += served
        self.refused += not served
        del self._open[descriptor]
        sock.close()


def client_hello() -> bytes:
    """What an ordinary client says first."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(up, down, server_hostname=GATEWAY_NAME)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return down.read()


def strangers(rate: float, seconds: float, addresses: list[str]) -> dict[str, float]:
    """How many began, had an answer and had none."""
    crowd = Strangers(addresses)
    crowd.run(rate, seconds)
    return {"begun": crowd.begun, "answered": crowd.answered, "refused": crowd.refused}


def newcomers(rate: float, seconds: float, pki: str, clients: int) -> dict[str, float]:
    """Clients with certificates of their own come in turn; how many were served."""
    contexts = [context(pki, number) for number in range(clients)]
    start, served = time.monotonic(), []
    with ThreadPoolExecutor(THREADS) as threads:
        for number in count():
            due = start + number / rate
            if due > start + seconds:
                break
            time.sleep(max(0.0, due - time.monotonic()))
            served.append(threads.submit(_arrive, contexts[number % clients]))
    waits = sorted(future.result() for future in served)
    return {"begun": len(waits), "served": sum(wait < PATIENCE for wait in waits), "slowest": waits[-1]}


def _arrive(tls_context: ssl.SSLContext) -> float:
    """Seconds until the gateway's answer; PATIENCE when there is none."""
    start = time.monotonic()
    with (
        contextlib.suppress(OSError),
        socket.create_connection((GATEWAY_V4, 443), PATIENCE) as tcp,
        tls_context.wrap_socket(tcp, server_hostname=GATEWAY_NAME) as tls,
    ):
        tls.sendall(build_request("/IPHTTPS", GATEWAY_NAME))
        if tls.recv(4096).startswith(b"HTTP/1.1 200"):
            return min(time.monotonic() - start, PATIENCE)
    return PATIENCE


def main(kind: str, rate: str, seconds: str, *more: str) -> None:
    """Print what came of it."""
    if kind == "strangers":
        print(json.dumps(strangers(float(rate), float(seconds), list(more))))
    else:
        pki, clients = more
        print(json.dumps(newcomers(float(rate), float(seconds), pki, int(clients))))


if __name__ == "__main__":
    main(*sys.argv[1:])
