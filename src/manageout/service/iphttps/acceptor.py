"""From a listening socket to a client that may connect; each refusal has a name.

A connection goes through stages, each of which can end it::

    accepted (by a balancer: for whom) -> met (limits and budgets of its source)
             -> TLS handshake -> trust -> handed over (HTTP head, packets)

All but the last happen in a thread with an event loop of its own, so that packets of clients never wait for a
stranger's cryptography, which OpenSSL does without Python's lock.
"""

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from typing import TypeVarTuple

from manageout.errors import ManageoutError
from manageout.linux.packets.tcp import tune
from manageout.protocol.core.drops import Drop
from manageout.protocol.iphttps.newcomers import Source
from manageout.service.iphttps.balancers import Balancers, header_of_a_stranger, is_balancer
from manageout.service.iphttps.connection import Admission, Connection, source_of
from manageout.service.iphttps.listeners import Inherited, listen
from manageout.service.iphttps.refusals import LimitedLog, Refusals
from manageout.service.iphttps.trust import PeerCertificate, Refusal, Trust, refusal
from manageout.service.process.loops import LoopThread
from manageout.service.tls.stream import TlsStream
from manageout.site.tables.site import IpHttpsTable
from manageout.wire.iphttps import build_refusal
from manageout.words import said

ACCEPT_BATCH = 16
PAUSE = 1.0
"""Seconds without accepting when descriptors or memory have run out."""
SWEEP = 0.25
"""Seconds between two looks for handshakes that take too long."""
PRESSED_TIMEOUT = 2.0
"""Seconds that a handshake gets while half of the places are taken."""
_Ts = TypeVarTuple("_Ts")
_ESTABLISHED = b"\x01"
"""Of ``tcp_info.tcpi_state``."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: close at once, and leave nothing in the kernel."""

SILENT = 60.0
"""Seconds without a sign of life from the thread that are too many."""
_UNFINISHED = Refusal(Drop.HANDSHAKE_TIMEOUT, "the TLS handshake timed out")
"""What would come of a handshake that goes no further."""

log = logging.getLogger(__name__)


class Acceptor:
    """Hands every admitted :class:`Connection` to ``ready``; :meth:`left` must be told when it has ended.

    Public methods belong to the loop that made it, and so do the calls of ``ready``, and of ``evict``, which takes the
    number of a connection that was handed over and has to go if it has not yet sent its HTTP head.
    """

    def __init__(
        self,
        trust: Trust,
        limits: IpHttpsTable,
        ready: Callable[[Connection], None],
        evict: Callable[[int], None],
        inherited: Inherited | None = None,
    ) -> None:
        self.trust = trust
        self.inherited = inherited or Inherited()
        self._lines = LimitedLog()
        self.refused = Refusals(self._lines)
        self.admission = Admission(limits)
        self._ready, self._evict = ready, evict
        self._listeners: dict[str, socket.socket] = {}
        self._thread: LoopThread | None = None
        self._stopped = False
        # What follows belongs to the thread.
        self._balancers = Balancers(self._meet, self._refuse_balancer)
        self._handshakes: dict[int, Connection] = {}
        self._sweeping = False
        self._last_number = 0

    # --- For the loop of the packets --------------------------------------------------------------------

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
                    opened[listener] = self.inherited.take(listener) or listen(listener, self._listeners)
        except ManageoutError:
            for sock in opened.values():
                sock.close()
            raise
        if self._thread is None:
            self._thread = LoopThread("iphttps-accept")
        if gone := self._listeners.keys() - set(wanted):
            for listener in gone:
                self._thread.call(self._close_listener, self._listeners.pop(listener))
            self._thread.settle()  # a reload that fails later comes back to these places at once
        for listener, sock in opened.items():
            self._listeners[listener] = sock
            self._thread.call(self._resume, sock)

    def look(self) -> None:
        """Raises :class:`ManageoutError` when nobody is let in any more. To be asked every few seconds."""
        if self._thread is not None and self._thread.silent_for() > SILENT:
            raise ManageoutError(
                "the thread that lets clients in stands still", "systemd starts the service again; report it"
            )

    def stop(self) -> None:
        """Close the listeners and every connection that is still in its handshake."""
        self._stopped = True
        if self._thread is not None:
            for sock in self._listeners.values():
                self._thread.call(self._close_listener, sock)
            self._thread.call(self._close_handshakes)
            self._thread.stop()
        self._listeners.clear()

    def refuse(self, connection: Connection, fault: Refusal) -> None:
        """Count and log a client that may not connect, or may no longer."""
        self.refused.tell(
            fault.drop, connection.source.name, connection.peer[0], fault.words, fault.certificate
        )

    def say(self, connection: Connection, what: str) -> None:
        """A line about a connection that was handed over."""
        identity = connection.certificate.identity if connection.certificate else None
        text = f"{identity or 'without a name'} from {connection.peer[0]} {what}"
        self._lines.say(connection.source.name, identity, text)

    def established(self, connection: Connection) -> None:
        """A connection that was handed over has sent its HTTP head."""
        if self._thread is not None:
            self._thread.call(self.admission.established, connection.number, connection.source)

    def left(self, connection: Connection) -> None:
        """A connection that was handed over is closed."""
        if self._thread is not None:
            self._thread.call(self._count_out, connection)

    def _take(self, connection: Connection) -> None:
        """The thread hands over; what it was judged by may have been replaced meanwhile."""
        fault = None
        if connection.trust is not self.trust:
            fault = self.trust.admit(connection.certificate)
            if not self.trust.lets_in_all_of(connection.trust):
                fault = Refusal(Drop.CERTIFICATE_INVALID, "the authority of clients has just changed")
        if fault is not None:
            self.refuse(connection, fault)
        if fault is not None or self._stopped:
            connection.stream.close()
            self.left(connection)
        else:
            self._ready(connection)

    # --- The thread: accepted, met ----------------------------------------------------------------------

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
            if _gone(sock):
                sock.close()
                continue
            limits = self.admission.limits
            if is_balancer(address, limits.proxies):
                self._balancers.take(sock, (address, port), limits.handshake_timeout)
            else:
                self._meet(sock, (address, port))

    def _refuse_balancer(self, address: str, why: str) -> None:
        words = f"PROXY protocol header: {why}"
        self.refused.tell(Drop.PROXY_HEADER, source_of(address).name, address, words)

    def _meet(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        """Whether a connection that comes from ``peer`` may begin with TLS; it makes room for it."""
        source, now = source_of(peer[0]), time.monotonic()
        if fault := self.admission.refuse(source, now):
            self.refused.count(fault, source.name)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            sock.close()
            return
        if (oldest := self.admission.who_yields(source)) is not None:
            self._make_room(*oldest)
        self._last_number += 1
        trust = self.trust  # once: the other thread may replace it at any moment
        trust.relieve()
        try:
            tune(sock)
            stream = TlsStream(sock, trust.context, server_side=True)
        except Exception as error:  # its place is not counted yet: nothing would ever release it
            sock.close()
            self.refused.tell(Drop.TLS_FAILED, source.name, peer[0], f"TLS cannot begin: {said(error)}")
            return
        self.admission.enter(self._last_number, source)
        self._begin(Connection(self._last_number, stream, peer, source, trust, now))

    def _make_room(self, number: int, source: Source) -> None:
        if (connection := self._handshakes.get(number)) is not None:
            words = "newcomers need the place of its unfinished handshake"
            self._give_up(connection, Refusal(Drop.TOO_MANY_HANDSHAKES, words))
        else:
            self.admission.yielded(number, source, at_fault=not self.trust.required)
            self._tell(self._evict, number)

    def _close_listener(self, listener: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(listener)
        listener.close()

    def _pause(self, listener: socket.socket, error: OSError) -> None:
        log.error("cannot accept connections: %s", error.strerror)
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)
        loop.call_later(PAUSE, self._resume, listener)

    def _resume(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            asyncio.get_running_loop().add_reader(listener, self._on_accept, listener)

    # --- The thread: handshake, trust -------------------------------------------------------------------

    def _begin(self, connection: Connection) -> None:
        self._handshakes[connection.number] = connection
        loop = asyncio.get_running_loop()
        if not self._sweeping:
            self._sweeping = True
            loop.call_later(SWEEP, self._sweep)
        loop.add_reader(connection.stream, self._on_first_bytes, connection)

    def _on_first_bytes(self, connection: Connection) -> None:
        if header_of_a_stranger(connection.stream.sock):
            words = "a PROXY protocol header from elsewhere than gateway.iphttps.proxies"
            self._give_up(connection, Refusal(Drop.PROXY_STRANGER, words))
            return
        asyncio.get_running_loop().add_reader(connection.stream, self._on_handshake, connection)
        self._on_handshake(connection)

    def _on_handshake(self, connection: Connection) -> None:
        try:
            found = self._go_on(connection)
        except Exception as error:  # whatever a stranger may find in us must not go on for ever
            log.debug("internal error in a handshake", exc_info=True)
            found = Refusal(Drop.TLS_FAILED, f"internal error: {type(error).__name__}")
        if found is _UNFINISHED:
            return
        if isinstance(found, Refusal):
            self._give_up(connection, found)
            return
        connection.certificate = found
        if found is not None:
            self.admission.failures.proved(connection.source)
        self._over(connection)
        self._tell(self._take, connection)

    def _go_on(self, connection: Connection) -> PeerCertificate | Refusal | None:
        """Who it is, as soon as the handshake has ended well; a refusal with an answer if TLS can carry one."""
        try:
            if not connection.stream.handshake():
                return _UNFINISHED
        except ssl.SSLError as error:
            return refusal(error, connection.stream.tls)
        except (OSError, EOFError) as error:
            words = getattr(error, "strerror", None) or "the connection ended in the TLS handshake"
            return Refusal(Drop.TLS_FAILED, words)
        found = self._judge(connection)
        if isinstance(found, Refusal):
            self._say(connection, found.drop)
        return found

    def _judge(self, connection: Connection) -> PeerCertificate | Refusal | None:
        found = connection.trust.meet(connection.stream.tls)
        if isinstance(found, PeerCertificate):
            most, name = self.admission.limits.max_per_certificate, found.identity.lower()
            if not self.admission.comings.may_come(name, most, time.monotonic()):
                words = "the same certificate connects too often"
                return Refusal(Drop.CERTIFICATE_TOO_OFTEN, words, found.known_as)
        return found

    def _sweep(self) -> None:
        """End the handshakes that take too long; the oldest come first."""
        timeout = self.admission.limits.handshake_timeout
        if self.admission.pressed:
            timeout = min(timeout, PRESSED_TIMEOUT)
        begun = time.monotonic() - timeout
        for connection in list(self._handshakes.values()):
            if connection.begun > begun:
                break
            self._give_up(connection, _UNFINISHED)
        self._sweeping = bool(self._handshakes)
        if self._sweeping:
            asyncio.get_running_loop().call_later(SWEEP, self._sweep)

    def _give_up(self, connection: Connection, fault: Refusal) -> None:
        self.refuse(connection, fault)
        self._end(connection)

    def _say(self, connection: Connection, drop: Drop) -> None:
        """Tell a client that TLS has accepted why we do not: there are no alerts for that any more."""
        server = self.admission.limits.server_header
        phrase = drop.meaning.partition(": ")[2]
        with contextlib.suppress(OSError):  # ssl.SSLError among them
            connection.stream.send([build_refusal(403, phrase, server, formatdate(usegmt=True))])

    def _end(self, connection: Connection) -> None:
        self._over(connection)
        connection.stream.close()
        self._count_out(connection)

    def _count_out(self, connection: Connection) -> None:
        proven = connection.certificate is not None
        self.admission.leave(connection.number, connection.source, at_fault=not proven)

    def _over(self, connection: Connection) -> None:
        """The handshake has ended, well or not."""
        asyncio.get_running_loop().remove_reader(connection.stream)
        self._handshakes.pop(connection.number, None)

    def _tell(self, function: Callable[[*_Ts], None], *arguments: *_Ts) -> None:
        if self._thread is not None:
            self._thread.tell(function, *arguments)

    def _close_handshakes(self) -> None:
        self._balancers.close()
        for connection in list(self._handshakes.values()):
            self._end(connection)


def _gone(sock: socket.socket) -> bool:
    """Its client has left: it waited while nobody served, with the socket kept by systemd, and has come again since.

    Hundreds of these lie before those who still wait. They cost no cryptography, and are no failures of their source.
    """
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != _ESTABLISHED
