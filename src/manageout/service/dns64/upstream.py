"""The DNS64's sockets to the intranet's DNS servers: a fresh one for each question.

So its port is random and it takes answers from that server alone (RFC 5452 4.5). The sockets of questions over UDP
hang on an epoll of our own, and that on the event loop: thousands come and go a second, too many to register there.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import logging
import select
import socket
from collections.abc import Callable

from manageout.protocol.dns.forwarder import Ask

PORT = 53
LARGEST = 4096
"""Bytes taken of an answer over UDP: more than we say that we take."""
MAX_EVENTS = 256

log = logging.getLogger(__name__)


class Upstreams:
    """``answered`` and ``failed`` are told of each question by its number; ``settled`` after a batch of them."""

    def __init__(
        self,
        answered: Callable[[int, bytes], None],
        failed: Callable[[int], None],
        settled: Callable[[], None],
    ) -> None:
        self._answered, self._failed, self._settled = answered, failed, settled
        self._sockets: dict[int, socket.socket] = {}
        self._numbers: dict[int, int] = {}
        self._epoll = select.epoll()

    def open(self, group: asyncio.TaskGroup) -> None:
        """Work in the running loop; ``group`` holds the questions over TCP."""
        self._loop, self._group = asyncio.get_running_loop(), group
        self._loop.add_reader(self._epoll.fileno(), self._ready)

    def close(self) -> None:
        """Give up everything."""
        self._loop.remove_reader(self._epoll.fileno())
        for number in list(self._sockets):
            self.forget(number)
        self._epoll.close()

    def ask(self, order: Ask) -> None:
        """Send a question."""
        family, place = endpoint(order.server)
        try:
            sock = socket.socket(family, socket.SOCK_STREAM if order.tcp else socket.SOCK_DGRAM)
            sock.setblocking(False)
            self._sockets[order.number] = sock
            if order.tcp:
                self._group.create_task(self._ask_tcp(order, sock, place))
                return
            sock.connect(place)
            sock.send(order.message)
            number = sock.fileno()
            self._epoll.register(number, select.EPOLLIN)
        except OSError as error:
            log.debug("DNS server %s: %s", order.server, error.strerror)
            self._loop.call_soon(self._fail, order.number)
            return
        self._numbers[number] = order.number

    def forget(self, number: int) -> None:
        """No answer to question ``number`` is wanted any more."""
        sock = self._sockets.pop(number, None)
        if sock is None:
            return
        if self._numbers.pop(sock.fileno(), None) is None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # ends a question over TCP
        sock.close()  # which the epoll notices by itself

    def _fail(self, number: int) -> None:
        self._failed(number)
        self._settled()

    def _ready(self) -> None:
        for descriptor, _ in self._epoll.poll(0, MAX_EVENTS):
            number = self._numbers.get(descriptor)
            if number is None:
                continue
            try:
                message = self._sockets[number].recv(LARGEST)
            except BlockingIOError:
                continue
            except OSError:  # port unreachable
                self._failed(number)
            else:
                self._answered(number, message)
        self._settled()

    async def _ask_tcp(self, order: Ask, sock: socket.socket, place: tuple[str, int]) -> None:
        writer: asyncio.StreamWriter | None = None
        try:
            await self._loop.sock_connect(sock, place)
            # The stream closes what it is given; the exchange keeps its own descriptor.
            reader, writer = await asyncio.open_connection(sock=sock.dup())
            writer.write(len(order.message).to_bytes(2, "big") + order.message)
            answer = await read_message(reader)
        except (OSError, EOFError):
            self._failed(order.number)
        else:
            self._answered(order.number, answer)
        finally:
            if writer is not None:
                writer.close()
        self._settled()


@functools.lru_cache(maxsize=64)
def endpoint(server: str) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """``10.0.0.10``, ``10.0.0.10:5353``, ``fd12::1`` or ``[fd12::1]:53``."""
    try:
        host, port = str(ipaddress.ip_address(server)), PORT
    except ValueError:
        host, _, text = server.rpartition(":")
        host, port = host.strip("[]"), int(text)
    return socket.AF_INET6 if ":" in host else socket.AF_INET, (host, port)


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """One message behind its two bytes of length. Raises :class:`EOFError`, :class:`OSError`."""
    size = int.from_bytes(await reader.readexactly(2), "big")
    return await reader.readexactly(size)
