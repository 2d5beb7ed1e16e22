"""The DNS stub of a remote client: sockets around :class:`~manageout.protocol.dns.stub.DnsStub`.

It listens on one local address, over UDP and TCP. Every question goes out of a fresh socket, whose
random port the kernel chooses; one to the site's servers is tied to the tunnel device, so that it can never leave
through the network that the machine is in.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import Iterable
from typing import cast

from manageout.errors import ManageoutError
from manageout.protocol.dns.forwarder import Reply
from manageout.protocol.dns.stub import DnsStub
from manageout.service.resolver.upstream import PORT, Upstreams, endpoint, framed, read_message, socket_to

ADDRESSES = tuple(f"127.0.0.{last}" for last in range(153, 161))
"""Tried in this order: systemd-resolved, dnsmasq and Unbound use others."""
MAX_CONNECTIONS = 32
IDLE_TIMEOUT = 10.0
LARGEST = 65535
"""Bytes of a message: the clients say how many they take over UDP."""
_BATCH = 64


class DnsStubService:
    """``device``: the tunnel. Runs within :meth:`run`; :attr:`machine` holds servers and rules."""

    def __init__(self, device: str) -> None:
        self.machine = DnsStub(random.SystemRandom().random)
        self.address = ""
        """Where it listens; empty when it does not."""
        self._udp: socket.socket | None = None
        self._tcp: socket.socket | None = None
        self._upstreams = Upstreams(self.machine, self._reply, device, largest=LARGEST)
        self._connections: set[asyncio.StreamWriter] = set()

    def listen(self, addresses: Iterable[str] = ADDRESSES) -> None:
        """Take the first of ``addresses`` that is free. Raises :class:`ManageoutError`."""
        fault = "none given"
        for address in addresses:
            udp, tcp = _open(address, socket.SOCK_DGRAM), _open(address, socket.SOCK_STREAM)
            try:
                udp.bind((address, PORT))
                tcp.bind((address, PORT))
                tcp.listen(MAX_CONNECTIONS)
            except OSError as error:
                fault = f"{address} port {PORT}: {error.strerror}"
                udp.close()
                tcp.close()
                continue
            self._udp, self._tcp, self.address = udp, tcp, address
            return
        raise ManageoutError(f"no address for the DNS stub: {fault}", "see what listens there: ss -lnup")

    async def run(self) -> None:
        """Serve until cancelled; :meth:`listen` comes before."""
        udp, tcp = self._udp, self._tcp
        if udp is None or tcp is None:
            raise RuntimeError("listen() comes first")
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(udp, self._on_clients, udp)
        server = await asyncio.start_server(self._serve, sock=tcp)
        try:
            async with asyncio.TaskGroup() as group:
                self._upstreams.open(group)
                await self._loop.create_future()
        finally:
            self._loop.remove_reader(udp)
            server.close()
            for writer in list(self._connections):
                writer.close()
            self._upstreams.close()
            udp.close()
            self._udp = self._tcp = None
            self.address = ""

    # --- Clients ----------------------------------------------------------------------------------------

    def _on_clients(self, udp: socket.socket) -> None:
        for _ in range(_BATCH):
            try:
                message, source = udp.recvfrom(LARGEST)
            except OSError:
                break
            if self._is_local(source):
                self.machine.receive(message, source, time.monotonic())
        self._upstreams.pump()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client over TCP; several questions may be under way (RFC 7766 6.2.1.1)."""
        if len(self._connections) >= MAX_CONNECTIONS or not self._is_local(writer.get_extra_info("peername")):
            writer.close()
            return
        self._connections.add(writer)
        try:
            while True:
                async with asyncio.timeout(IDLE_TIMEOUT):
                    await writer.drain()  # who does not read answers may not fill the memory with them
                    message = await read_message(reader)
                self.machine.receive(message, writer, time.monotonic(), tcp=True)
                self._upstreams.pump()
        except TimeoutError:
            if writer.transport.get_write_buffer_size():  # closing would wait for it
                writer.transport.abort()
        except (OSError, EOFError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()  # all ends; asyncio would log it as a fault, were it raised
        finally:
            self._connections.discard(writer)
            self.machine.gone(writer)
            self._upstreams.pump()
            writer.close()

    def _is_local(self, source: tuple[str, int]) -> bool:
        """On an address of the tunnel we could be reached from the other side: it is no business of theirs."""
        return ":" not in self.address or source[0] == self.address

    def _reply(self, order: Reply) -> None:
        if isinstance(order.client, asyncio.StreamWriter):
            if not order.client.is_closing():
                order.client.write(framed(order.message))
        elif self._udp is not None:
            with contextlib.suppress(OSError):  # the client has gone
                self._udp.sendto(order.message, cast(tuple[str, int], order.client))


def _open(address: str, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    if kind is socket.SOCK_STREAM:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


async def exchange(
    server: str, device: str, message: bytes, patience: float, source: str = ""
) -> bytes | None:
    """One question over UDP through ``device`` (any, if empty), and the first message that comes back; or None.

    ``source``: the address to ask from, if the kernel must not choose.
    """
    loop = asyncio.get_running_loop()
    try:
        with socket_to(server, device, tcp=False) as sock:
            if source:
                sock.bind((source, 0))
            async with asyncio.timeout(patience):
                await loop.sock_connect(sock, endpoint(server))
                await loop.sock_sendall(sock, message)
                return await loop.sock_recv(sock, LARGEST)
    except (OSError, TimeoutError):
        return None
