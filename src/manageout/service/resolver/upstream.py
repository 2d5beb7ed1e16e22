"""Sockets to DNS servers, for the DNS64 and for a client's stub: a fresh one for each question.

So its port is random and it takes answers from that server alone (RFC 5452 4.5). The sockets of questions over UDP
hang on an epoll of our own, and that on the event loop: thousands come and go a second, too many to register there.
"""

import asyncio
import functools
import logging
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from manageout.protocol.dns.forwarder import Ask, Forget, Forwarder, Reply
from manageout.service.process.loops import Timer
from manageout.wire.host_port import HostPort

PORT = 53
LARGEST = 4096
"""Bytes taken of an answer over UDP: more than we say that we take."""
MAX_EVENTS = 256

log = logging.getLogger(__name__)


class Upstreams:
    """Carries out what ``machine`` orders, and tells it what servers answer.

    ``reply`` answers a client; ``device``: the way to servers inside; ``largest``: bytes taken of an answer over UDP.
    """

    def __init__(
        self,
        machine: Forwarder[Any],
        reply: Callable[[Reply], None],
        device: str = "",
        largest: int = LARGEST,
    ) -> None:
        self._machine, self._reply = machine, reply
        self._device, self._largest = device, largest
        self._sockets: dict[int, socket.socket] = {}
        self._numbers: dict[int, int] = {}
        """Descriptors of these."""
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._timer = Timer(self._on_timer)

    def open(self, group: asyncio.TaskGroup) -> None:
        """Work in the running loop; ``group`` holds the questions over TCP."""
        self._loop, self._group = asyncio.get_running_loop(), group
        self._epoll = select.epoll()
        self._loop.add_reader(self._epoll.fileno(), self._ready)

    def close(self) -> None:
        """Give up everything, until it is opened again."""
        self._timer.cancel()
        self._loop.remove_reader(self._epoll.fileno())
        for number in (*self._sockets, *self._tasks):
            self._forget(number)
        self._epoll.close()

    def pump(self) -> None:
        """Carry out what the machine wants, and ask when it wants to be called."""
        if self._epoll.closed:
            return  # the last words of clients over TCP
        while orders := self._machine.transmit():
            for order in orders:
                match order:
                    case Reply():
                        self._reply(order)
                    case Ask():
                        self._ask(order)
                    case Forget():
                        self._forget(order.number)
        self._timer.at(self._machine.timer())

    def _on_timer(self) -> None:
        self._machine.on_timer(time.monotonic())
        self.pump()

    def _ask(self, order: Ask) -> None:
        if order.tcp:
            self._tasks[order.number] = self._group.create_task(self._ask_tcp(order))
            return
        try:
            sock = self._sockets[order.number] = self._socket(order)
            sock.connect(endpoint(order.server))
            sock.send(order.message)
            number = sock.fileno()
            self._epoll.register(number, select.EPOLLIN)
        except OSError as error:
            log.debug("DNS server %s: %s", order.server, error.strerror)
            self._machine.failed(order.number, time.monotonic())
            return
        self._numbers[number] = order.number

    def _forget(self, number: int) -> None:
        """No answer to question ``number`` is wanted any more."""
        sock, task = self._sockets.pop(number, None), self._tasks.pop(number, None)
        if sock is not None:
            self._numbers.pop(sock.fileno(), None)
            sock.close()  # which the epoll notices by itself
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def _ready(self) -> None:
        now = time.monotonic()
        for descriptor, _ in self._epoll.poll(0, MAX_EVENTS):
            number = self._numbers.get(descriptor)
            if number is None:
                continue
            try:
                message = self._sockets[number].recv(self._largest)
            except BlockingIOError:
                continue
            except OSError:  # port unreachable
                self._machine.failed(number, now)
            else:
                self._machine.answered(number, message, now)
        self.pump()

    def _socket(self, order: Ask) -> socket.socket:
        return socket_to(order.server, self._device if order.inside else "", tcp=order.tcp)

    async def _ask_tcp(self, order: Ask) -> None:
        writer: asyncio.StreamWriter | None = None
        try:
            with self._socket(order) as sock:
                await self._loop.sock_connect(sock, endpoint(order.server))
                reader, writer = await asyncio.open_connection(sock=sock.dup())
            writer.write(framed(order.message))
            answer = await read_message(reader)
        except (OSError, EOFError):
            self._machine.failed(order.number, time.monotonic())
        else:
            self._machine.answered(order.number, answer, time.monotonic())
        finally:
            if writer is not None:
                writer.close()
        self.pump()


def socket_to(server: str, device: str, *, tcp: bool) -> socket.socket:
    """A socket for one question to ``server``, through ``device`` alone if it is given. Raises :class:`OSError`."""
    family = socket.AF_INET6 if ":" in _read(server)[0] else socket.AF_INET
    sock = socket.socket(family, (socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) | socket.SOCK_NONBLOCK)
    try:
        if device:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    except OSError:
        sock.close()
        raise
    return sock


def endpoint(server: str) -> tuple[str, int] | tuple[str, int, int, int]:
    """``10.0.0.10``, ``10.0.0.10:5353``, ``fe80::1%eth0`` or ``[fd12::1]:53`` for a socket. Raises :class:`OSError`."""
    address, zone, port = _read(server)
    if ":" not in address:
        return address, port
    return address, port, 0, int(zone) if zone.isdecimal() else socket.if_nametoindex(zone) if zone else 0


@functools.lru_cache(maxsize=64)
def _read(server: str) -> tuple[str, str, int]:
    """Address, zone and port."""
    found = HostPort.parse(server, PORT)
    address, _, zone = str(found.address).partition("%")
    return address, zone, found.port


def framed(message: bytes) -> bytes:
    """A message over TCP (RFC 1035 4.2.2)."""
    return len(message).to_bytes(2, "big") + message


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """One message behind its two bytes of length. Raises :class:`EOFError`, :class:`OSError`."""
    size = int.from_bytes(await reader.readexactly(2), "big")
    return await reader.readexactly(size)
