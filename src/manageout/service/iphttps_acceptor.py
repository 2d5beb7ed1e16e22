"""From a listening socket to a client that may connect: admission, TLS handshake, trust; each refusal has a name."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterable

from manageout.config import IpHttpsTable
from manageout.errors import ManageoutError
from manageout.protocol.budget import Budget
from manageout.protocol.drop_table import DropTable
from manageout.protocol.drops import Drop
from manageout.service.iphttps_connection import Admission, Connection, listen, source_of
from manageout.service.tls_stream import tune
from manageout.service.trust import Refusal, Trust, read_peer, refusal

ACCEPT_BATCH = 64
MAX_REFUSED_SOURCES = 1024
PAUSE = 1.0
"""Seconds without accepting when descriptors or memory have run out."""

log = logging.getLogger(__name__)


class Acceptor:
    """Hands every admitted :class:`Connection` to ``ready``; :meth:`left` must be told when it has ended."""

    def __init__(self, trust: Trust, limits: IpHttpsTable, ready: Callable[[Connection], None]) -> None:
        self.trust = trust
        self.refused = DropTable(MAX_REFUSED_SOURCES)
        self.admission = Admission(limits)
        self._ready = ready
        self._listeners: dict[str, socket.socket] = {}
        self._handshakes: set[Connection] = set()
        self._last_number = 0
        self._words = Budget(rate=2.0, burst=20.0)
        self._unsaid = 0

    @property
    def listeners(self) -> list[str]:
        """Where clients can connect."""
        return list(self._listeners)

    def listen(self, wanted: Iterable[str]) -> None:
        """Listen on exactly these. Raises :class:`ManageoutError` before anything has changed."""
        wanted = list(dict.fromkeys(wanted))
        opened: dict[str, socket.socket] = {}
        try:
            for listener in wanted:
                if listener not in self._listeners:
                    opened[listener] = listen(listener)
        except ManageoutError:
            for sock in opened.values():
                sock.close()
            raise
        loop = asyncio.get_running_loop()
        for gone in self._listeners.keys() - set(wanted):
            sock = self._listeners.pop(gone)
            loop.remove_reader(sock)
            sock.close()
        for listener, sock in opened.items():
            self._listeners[listener] = sock
            loop.add_reader(sock, self._on_accept, sock)

    def stop(self) -> None:
        """Close the listeners and every connection that is still in its handshake."""
        self.listen(())
        for connection in list(self._handshakes):
            self._end(connection)

    def refuse(self, connection: Connection, fault: Refusal) -> None:
        """Count and log a client that may not connect, or may no longer."""
        now = time.monotonic()
        self.refused.count(fault.drop, connection.source.encode(), now)
        # A stranger must not write the log at his own rate.
        if not self._words.take(now):
            self._unsaid += 1
            return
        more = f" ({self._unsaid} more refusals before this one are not in the log)" if self._unsaid else ""
        self._unsaid = 0
        log.info("client %s refused: %s%s", connection.peer[0], fault.words, more)

    def left(self, connection: Connection) -> None:
        """A connection that was handed over is closed."""
        self.admission.leave(connection.source, established=bool(connection.framing))

    def _on_accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPT_BATCH):
            try:
                sock, (address, port, *_) = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._pause(listener, error)
                    return
                continue  # only this connection failed (accept(2): ECONNABORTED and network errors)
            source = source_of(address)
            if fault := self.admission.refuse(source):
                self.refused.count(fault, source.encode(), time.monotonic())
                sock.close()
                continue
            self._last_number += 1
            tune(sock)
            self._begin(Connection(self._last_number, sock, (address, port), self.trust.context))

    def _pause(self, listener: socket.socket, error: OSError) -> None:
        log.error("cannot accept connections: %s", error.strerror)
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)
        loop.call_later(PAUSE, self._resume, listener)

    def _resume(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            asyncio.get_running_loop().add_reader(listener, self._on_accept, listener)

    def _begin(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        self.admission.enter(connection.source)
        self._handshakes.add(connection)
        loop.add_reader(connection.stream, self._on_handshake, connection)
        late = Refusal(Drop.HANDSHAKE_TIMEOUT, "the TLS handshake timed out")
        timeout = self.admission.limits.handshake_timeout
        connection.deadline = loop.call_later(timeout, self._give_up, connection, late)

    def _on_handshake(self, connection: Connection) -> None:
        try:
            done = connection.stream.handshake()
        except ssl.SSLError as error:
            self._give_up(connection, refusal(error))
            return
        except (OSError, EOFError) as error:
            words = getattr(error, "strerror", None) or "the connection ended in the TLS handshake"
            self._give_up(connection, Refusal(Drop.TLS_FAILED, words))
            return
        if not done:
            return
        found = None
        if self.trust.required and (der := connection.stream.tls.getpeercert(binary_form=True)):
            found = read_peer(der)
        fault = found if isinstance(found, Refusal) else self.trust.admit(found)
        if fault is not None:
            self._give_up(connection, fault)
            return
        connection.certificate = None if isinstance(found, Refusal) else found
        self._over(connection)
        self._ready(connection)

    def _give_up(self, connection: Connection, fault: Refusal) -> None:
        self.refuse(connection, fault)
        self._end(connection)

    def _end(self, connection: Connection) -> None:
        self._over(connection)
        connection.stream.close()
        self.left(connection)

    def _over(self, connection: Connection) -> None:
        """The handshake has ended, well or not."""
        asyncio.get_running_loop().remove_reader(connection.stream)
        self._handshakes.discard(connection)
        if connection.deadline is not None:
            connection.deadline.cancel()
            connection.deadline = None
