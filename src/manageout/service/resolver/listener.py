"""A DNS server's clients, over UDP and TCP at one address: those of the DNS64 and those of a laptop's stub."""

import asyncio
import contextlib
import socket
import time
from abc import ABC, abstractmethod
from typing import Generic, TypeVar, cast

from manageout.protocol.dns.dns64 import Dns64
from manageout.protocol.dns.forwarder import Reply
from manageout.protocol.dns.stub import DnsStub
from manageout.service.resolver.upstream import LARGEST, Upstreams, framed, read_message

IDLE_TIMEOUT = 10.0

Machine = TypeVar("Machine", Dns64, DnsStub)


class DnsListener(ABC, Generic[Machine]):
    """Around ``machine``, which asks its servers through :class:`Upstreams`; ``device`` and ``largest`` are theirs."""

    def __init__(self, machine: Machine, device: str = "", largest: int = LARGEST) -> None:
        self.machine: Machine = machine
        self._upstreams = Upstreams(machine, self._reply, device, largest)
        self._udp: socket.socket | None = None
        self._connections: dict[asyncio.StreamWriter, str] = {}
        """Clients over TCP, and the address of each."""

    async def _listen(self, udp: socket.socket, tcp: socket.socket) -> None:
        """Serve on these until cancelled."""
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._serve, sock=tcp)
        self._udp = udp
        loop.add_reader(udp, self._on_clients, udp)
        try:
            async with asyncio.TaskGroup() as group:
                self._upstreams.open(group)
                await loop.create_future()
        finally:
            loop.remove_reader(udp)
            server.close()
            for writer in list(self._connections):
                writer.close()
            self._upstreams.close()
            udp.close()
            self._udp = None

    @abstractmethod
    def _on_clients(self, udp: socket.socket) -> None:
        """Datagrams have come."""

    @abstractmethod
    def _welcome(self, source: str) -> bool:
        """Whether one more client over TCP may come, from this address."""

    def _receive(self, message: bytes, source: str, client: object, now: float, *, tcp: bool = False) -> None:
        """A question."""
        self.machine.receive(message, client, now, tcp=tcp)

    def _pump(self) -> None:
        """Carry out what the machine wants."""
        self._upstreams.pump()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client over TCP; several questions may be under way (RFC 7766 6.2.1.1)."""
        source: str = writer.get_extra_info("peername")[0]
        if not self._welcome(source):
            writer.close()
            return
        self._connections[writer] = source
        try:
            while True:
                async with asyncio.timeout(IDLE_TIMEOUT):
                    await writer.drain()  # who does not read answers may not fill the memory with them
                    message = await read_message(reader)
                self._receive(message, source, writer, time.monotonic(), tcp=True)
                self._pump()
        except TimeoutError:
            if writer.transport.get_write_buffer_size():  # closing would wait for it
                writer.transport.abort()
        except (OSError, EOFError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()  # all ends; asyncio would log it as a fault, were it raised
        finally:
            self._connections.pop(writer, None)
            self.machine.gone(writer)
            self._pump()
            writer.close()

    def _reply(self, order: Reply) -> None:
        if isinstance(order.client, asyncio.StreamWriter):
            if not order.client.is_closing():
                order.client.write(framed(order.message))
        elif self._udp is not None:
            with contextlib.suppress(OSError):  # the client has gone, or reads too slowly
                self._udp.sendto(order.message, cast(tuple[str, int], order.client))


def unbound(address: str, kind: socket.SocketKind) -> socket.socket:
    """A socket that is to listen at ``address``."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    if kind is socket.SOCK_STREAM:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock
