"""TLS over a non-blocking TCP socket, without streams or copies that asyncio would add.

Plain text goes in as lists of packets and leaves as few TLS records; many records come in with one read.
What the socket does not take is kept; the owner looks at ``queued`` before it sends more.
"""

import contextlib
import errno
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

RECEIVE = 128 * 1024
"""Bytes read from the socket at once."""
PLAIN = RECEIVE + 32 * 1024
"""Room for what those decrypt to, and for the record that was begun before."""
WRITE = 64 * 1024
"""Plain text encrypted at once; bounds what OpenSSL's buffers keep."""
ANSWERS_MOST = 16 * 1024
"""Bytes that OpenSSL may want to say by itself, to a peer who does not take them, after the handshake."""
HANDSHAKE_READ = 16 * 1024
HANDSHAKE_MOST = 64 * 1024
"""Bytes that a handshake may have from the peer: its certificates above all, of which OpenSSL makes more bytes."""

# One for the process: nothing stays in it between two calls of `receive`, which only one thread makes.
_raw = memoryview(bytearray(RECEIVE))

Part = bytes | bytearray | memoryview


class TlsStream:
    """One connection. After :meth:`handshake` has returned True, use :meth:`receive` and :meth:`send`.

    The handshake may be had in another thread.
    """

    __slots__ = ("_answers", "_greeted", "_incoming", "_outgoing", "_waiting", "queued", "sock", "tls")

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
    ) -> None:
        """``sock`` is connected and non-blocking; it is closed by :meth:`close`."""
        self.sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self._waiting: deque[memoryview] = deque()
        self._answers = 0
        """Bytes of OpenSSL's own that wait."""
        self._greeted = 0
        """Bytes that the handshake had from the peer."""
        self.queued = 0
        """Encrypted bytes that the socket has not yet taken."""

    def fileno(self) -> int:
        """For selectors and event loops."""
        return self.sock.fileno()

    def handshake(self) -> bool:
        """Go on as far as the bytes that are there allow; True when done.

        Raises ssl.SSLError (an alert is on its way to the peer then), OSError, EOFError.
        """
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush_tls()
                if not self._greet():
                    return False
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    self._flush_tls()
                raise
            else:
                self._flush_tls()
                return True

    def feed(self, data: bytes) -> None:
        """Take encrypted bytes that somebody else has read from the socket."""
        if data:
            self._greeted += len(data)
            self._incoming.write(data)

    def receive(self, plain: memoryview, most: int = RECEIVE) -> int:
        """Read once, ``most`` bytes, from the socket and decrypt into ``plain`` (at least PLAIN); returns how much.

        0 when nothing whole has arrived. Raises EOFError at the end of the stream, ssl.SSLError, OSError.
        OpenSSL may have something to say to what came (a refused renegotiation, new keys): see ``queued``.
        """
        try:
            got = self.sock.recv_into(_raw, most)
        except BlockingIOError:
            pass  # after the handshake the first packets may be waiting in OpenSSL
        else:
            if not got:
                raise EOFError
            self._incoming.write(_raw[:got])
        try:
            return self._decrypt(plain)
        finally:
            if self._outgoing.pending:
                self._answer()

    def _decrypt(self, plain: memoryview) -> int:
        # The stub does not know that read() fills a buffer and then returns a number.
        read = cast("Callable[[int, memoryview], int]", self.tls.read)
        end, size, incoming, pending = 0, len(plain), self._incoming, self.tls.pending
        try:
            while end < size:
                got = read(size - end, plain[end:])
                if not got:
                    break
                end += got
                if not incoming.pending and not pending():
                    return end  # another read would find nothing, and say so by an exception
        except ssl.SSLWantReadError:
            return end
        except ssl.SSLZeroReturnError:
            pass
        if end < size and not end:
            raise EOFError
        return end

    def send(self, parts: Sequence[Part]) -> None:
        """Encrypt and send; what the socket does not take is kept. Raises OSError, ssl.SSLError."""
        batch: list[Part] = []
        size = 0
        for part in parts:
            if size + len(part) > WRITE and batch:
                self._encrypt(batch)
                batch, size = [], 0
            batch.append(part)
            size += len(part)
        if batch:
            self._encrypt(batch)

    def flush(self) -> bool:
        """Send what waits, as far as the socket takes it; True when nothing waits any more. Raises OSError."""
        waiting, send = self._waiting, self.sock.send
        try:
            while waiting:
                sent = send(waiting[0])
                self.queued -= sent
                if sent < len(waiting[0]):
                    waiting[0] = waiting[0][sent:]
                else:
                    waiting.popleft()
        except BlockingIOError:
            return False
        self._answers = 0
        return True

    def close(self) -> None:
        """Tell the peer as far as that is possible at once, and close the socket."""
        with contextlib.suppress(OSError, ValueError):
            if not self.queued:
                with contextlib.suppress(ssl.SSLError):
                    self.tls.unwrap()
                self._flush_tls()
        self._waiting.clear()
        self.queued = 0
        self.sock.close()

    def _encrypt(self, batch: Sequence[Part]) -> None:
        self.tls.write(batch[0] if len(batch) == 1 else b"".join(batch))
        self._flush_tls()

    def _flush_tls(self) -> None:
        if not self._outgoing.pending:
            return
        data = self._outgoing.read()
        sent = 0
        if not self._waiting:
            with contextlib.suppress(BlockingIOError):
                sent = self.sock.send(data)
        if sent < len(data):
            self._waiting.append(memoryview(data)[sent:])
            self.queued += len(data) - sent

    def _answer(self) -> None:
        before = self.queued
        self._flush_tls()
        self._answers += self.queued - before
        if self._answers > ANSWERS_MOST:
            raise OSError(errno.ENOBUFS, "the client does not take the answers that it asks for")

    def _greet(self) -> bool:
        if self._greeted >= HANDSHAKE_MOST:
            error = ssl.SSLError(ssl.SSL_ERROR_SSL, "the handshake is too long")
            error.reason = "HANDSHAKE_TOO_LONG"
            raise error
        try:
            data = self.sock.recv(min(HANDSHAKE_READ, HANDSHAKE_MOST - self._greeted))
        except BlockingIOError:
            return False
        if not data:
            raise EOFError
        self.feed(data)
        return True
