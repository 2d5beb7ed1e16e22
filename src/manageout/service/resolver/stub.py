"""The DNS stub of a remote client: sockets around :class:`~manageout.protocol.dns.stub.DnsStub`.

It listens on one local address, over UDP and TCP. Every question goes out of a fresh socket, whose
random port the kernel chooses; one to the site's servers is tied to the tunnel device, so that it can never leave
through the network that the machine is in.
"""

import asyncio
import random
import secrets
import socket
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from manageout.errors import ManageoutError
from manageout.protocol.dns.stub import DnsStub
from manageout.service.resolver.listener import DnsListener, unbound
from manageout.service.resolver.upstream import PORT, endpoint, socket_to

ADDRESSES = tuple(f"127.0.0.{last}" for last in range(153, 161))
"""Tried in this order: systemd-resolved, dnsmasq and Unbound use others."""
MAX_CONNECTIONS = 32
LARGEST = 65535
"""Bytes of a message: the clients say how many they take over UDP."""
_BATCH = 64

_Answer = TypeVar("_Answer")


class DnsStubService(DnsListener[DnsStub]):
    """``device``: the tunnel. Runs within :meth:`run`; :attr:`machine` holds servers and rules."""

    def __init__(self, device: str) -> None:
        super().__init__(DnsStub(random.SystemRandom().random), device, LARGEST)
        self.address = ""
        """Where it listens; empty when it does not."""
        self._bound: tuple[socket.socket, socket.socket] | None = None

    def listen(self, addresses: Iterable[str] = ADDRESSES) -> None:
        """Take the first of ``addresses`` that is free. Raises :class:`ManageoutError`."""
        fault = "none given"
        for address in addresses:
            udp, tcp = unbound(address, socket.SOCK_DGRAM), unbound(address, socket.SOCK_STREAM)
            try:
                udp.bind((address, PORT))
                tcp.bind((address, PORT))
                tcp.listen(MAX_CONNECTIONS)
            except OSError as error:
                fault = f"{address} port {PORT}: {error.strerror}"
                udp.close()
                tcp.close()
                continue
            self._bound, self.address = (udp, tcp), address
            return
        raise ManageoutError(f"no address for the DNS stub: {fault}", "see what listens there: ss -lnup")

    async def run(self) -> None:
        """Serve until cancelled; :meth:`listen` comes before."""
        if self._bound is None:
            raise RuntimeError("listen() comes first")
        try:
            await self._listen(*self._bound)
        finally:
            self._bound, self.address = None, ""

    # --- Clients ----------------------------------------------------------------------------------------

    def _on_clients(self, udp: socket.socket) -> None:
        for _ in range(_BATCH):
            try:
                message, source = udp.recvfrom(LARGEST)
            except OSError:
                break
            if self._is_local(source[0]):
                self.machine.receive(message, source, time.monotonic())
        self._pump()

    def _welcome(self, source: str) -> bool:
        return len(self._connections) < MAX_CONNECTIONS and self._is_local(source)

    def _is_local(self, source: str) -> bool:
        """On an address of the tunnel we could be reached from the other side: it is no business of theirs."""
        return ":" not in self.address or source == self.address


async def ask(
    servers: Iterable[str],
    device: str,
    question: Callable[[int], bytes],
    read: Callable[[bytes, bytes], _Answer | None],
    patience: float,
    source: str = "",
) -> _Answer | None:
    """What ``read`` makes of the answer to ``question`` (of an identifier) of the first server that gives one, or None.

    Over UDP through ``device``, ``patience`` seconds each; ``source``: the address to ask from, if the kernel must not
    choose.
    """
    loop = asyncio.get_running_loop()
    for server in servers:
        asked = question(secrets.randbelow(0x10000))
        try:
            with socket_to(server, device, tcp=False) as sock:
                if source:
                    sock.bind((source, 0))
                async with asyncio.timeout(patience):
                    await loop.sock_connect(sock, endpoint(server))
                    await loop.sock_sendall(sock, asked)
                    answer = read(await loop.sock_recv(sock, LARGEST), asked)
        except (OSError, TimeoutError):
            continue
        if answer is not None:
            return answer
    return None
