"""The DNS stub of a remote client: sockets around :class:`~manageout.protocol.dns.stub.DnsStub`.

It listens on one local address, over UDP and TCP. Every question goes out of a fresh socket, whose
random port the kernel chooses; one to the site's servers is tied to the tunnel device, so that it can never leave
through the network that the machine is in.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import random
import socket
import time
from collections.abc import Iterable
from typing import cast

from manageout.errors import ManageoutError
from manageout.protocol.dns.stub import Ask, DnsStub, Forget, Reply
from manageout.service.process.timer import Timer

PORT = 53
ADDRESSES = tuple(f"127.0.0.{last}" for last in range(153, 161))
"""Tried in this order: systemd-resolved, dnsmasq and Unbound use others."""
MAX_CONNECTIONS = 32
IDLE_TIMEOUT = 10.0
_BATCH = 64

log = logging.getLogger(__name__)


class DnsStubService:
    """``device``: the tunnel. Runs within :meth:`run`; :attr:`machine` holds servers and rules."""

    def __init__(self, device: str) -> None:
        self.machine = DnsStub(random.SystemRandom().random)
        self.address = ""
        """Where it listens; empty when it does not."""
        self._device = device
        self._udp: socket.socket | None = None
        self._tcp: socket.socket | None = None
        self._exchanges: dict[int, socket.socket | asyncio.Task[None]] = {}
        self._connections: set[asyncio.StreamWriter] = set()
        self._timer = Timer(self._on_timer)

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
            async with asyncio.TaskGroup() as self._group:
                await self._loop.create_future()
        finally:
            self._loop.remove_reader(udp)
            server.close()
            for writer in list(self._connections):
                writer.close()
            self._timer.cancel()
            for number in list(self._exchanges):
                self._forget(number)
            udp.close()
            self._udp = self._tcp = None
            self.address = ""

    # --- Clients ----------------------------------------------------------------------------------------

    def _on_clients(self, udp: socket.socket) -> None:
        for _ in range(_BATCH):
            try:
                message, source = udp.recvfrom(65535)
            except OSError:
                break
            if self._is_local(source):
                self.machine.receive(message, source, time.monotonic())
        self._pump()

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
                    message = await _read_message(reader)
                self.machine.receive(message, writer, time.monotonic(), tcp=True)
                self._pump()
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
            self._pump()
            writer.close()

    def _is_local(self, source: tuple[str, int]) -> bool:
        """On an address of the tunnel we could be reached from the other side: it is no business of theirs."""
        return ":" not in self.address or source[0] == self.address

    def _reply(self, order: Reply) -> None:
        if isinstance(order.client, asyncio.StreamWriter):
            if not order.client.is_closing():
                order.client.write(len(order.message).to_bytes(2, "big") + order.message)
        elif self._udp is not None:
            with contextlib.suppress(OSError):  # the client has gone
                self._udp.sendto(order.message, cast(tuple[str, int], order.client))

    # --- Servers ----------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Carry out what the machine wants, and ask when it wants to be called."""
        while orders := self.machine.transmit():
            for order in orders:
                match order:
                    case Ask():
                        self._ask(order)
                    case Forget():
                        self._forget(order.number)
                    case Reply():
                        self._reply(order)
        self._timer.at(self.machine.timer())

    def _on_timer(self) -> None:
        self.machine.on_timer(time.monotonic())
        self._pump()

    def _ask(self, order: Ask) -> None:
        if order.tcp:
            self._exchanges[order.number] = self._group.create_task(self._ask_tcp(order))
            return
        try:
            sock = socket_to(order.server, self._device if order.inside else "", tcp=False)
            self._exchanges[order.number] = sock
            sock.connect(_endpoint(order.server))
            sock.send(order.message)
        except OSError as error:
            log.debug("DNS server %s: %s", order.server, error.strerror)
            self.machine.failed(order.number, time.monotonic())
        else:
            self._loop.add_reader(sock, self._on_answer, order.number, sock)

    def _on_answer(self, number: int, sock: socket.socket) -> None:
        try:
            message = sock.recv(65535)
        except BlockingIOError:
            return
        except OSError:  # port unreachable
            self.machine.failed(number, time.monotonic())
        else:
            self.machine.answered(number, message, time.monotonic())
        self._pump()

    async def _ask_tcp(self, order: Ask) -> None:
        writer: asyncio.StreamWriter | None = None
        try:
            with socket_to(order.server, self._device if order.inside else "", tcp=True) as sock:
                await self._loop.sock_connect(sock, _endpoint(order.server))
                reader, writer = await asyncio.open_connection(sock=sock.dup())
            writer.write(len(order.message).to_bytes(2, "big") + order.message)
            answer = await _read_message(reader)
        except (OSError, EOFError):
            self.machine.failed(order.number, time.monotonic())
        else:
            self.machine.answered(order.number, answer, time.monotonic())
        finally:
            if writer is not None:
                writer.close()
        self._pump()

    def _forget(self, number: int) -> None:
        exchange = self._exchanges.pop(number, None)
        if isinstance(exchange, socket.socket):
            self._loop.remove_reader(exchange)
            exchange.close()
        elif exchange is not None and exchange is not asyncio.current_task():
            exchange.cancel()


def socket_to(server: str, device: str, *, tcp: bool) -> socket.socket:
    """A socket for one question to ``server``, through ``device`` alone if it is given. Raises :class:`OSError`."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    sock = socket.socket(family, (socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) | socket.SOCK_NONBLOCK)
    try:
        if device:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    except OSError:
        sock.close()
        raise
    return sock


def _endpoint(server: str) -> tuple[str, int] | tuple[str, int, int, int]:
    address, _, zone = server.partition("%")
    if ipaddress.ip_address(address).version == 4:
        return address, PORT
    return address, PORT, 0, _index(zone)


def _index(zone: str) -> int:
    """The number of an interface, by name or number. Raises :class:`OSError`."""
    return int(zone) if zone.isdecimal() else socket.if_nametoindex(zone) if zone else 0


def _open(address: str, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    if kind is socket.SOCK_STREAM:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    """One message behind its two bytes of length. Raises :class:`EOFError`, :class:`OSError`."""
    size = int.from_bytes(await reader.readexactly(2), "big")
    return await reader.readexactly(size)


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
                await loop.sock_connect(sock, _endpoint(server))
                await loop.sock_sendall(sock, message)
                return await loop.sock_recv(sock, 65535)
    except (OSError, TimeoutError):
        return None
