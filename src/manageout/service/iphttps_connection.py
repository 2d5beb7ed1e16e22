"""What the gateway knows of one TCP connection, and how many of them it takes."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from ipaddress import IPv6Address, IPv6Network, ip_address

from manageout.config import IpHttpsTable
from manageout.errors import KernelError, NotPermitted
from manageout.protocol.drops import Drop
from manageout.service.tls_stream import TlsStream
from manageout.service.trust import PeerCertificate


class Connection:
    """One accepted connection; its number is that of the machine's session."""

    __slots__ = (
        "certificate",
        "deadline",
        "framing",
        "number",
        "peer",
        "source",
        "stream",
        "writing",
    )

    def __init__(
        self, number: int, sock: socket.socket, peer: tuple[str, int], context: ssl.SSLContext
    ) -> None:
        self.number = number
        self.peer = peer
        self.source = source_of(peer[0])
        self.stream = TlsStream(sock, context, server_side=True)
        self.certificate: PeerCertificate | None = None
        self.deadline: asyncio.TimerHandle | None = None
        self.framing = ""
        self.writing = False
        """The event loop watches for room in the socket."""


class Admission:
    """Counts connections; says no above the limits of ``[gateway.iphttps]``."""

    def __init__(self, limits: IpHttpsTable) -> None:
        self.limits = limits
        self.total = 0
        self.handshakes = 0
        """Connections whose TLS handshake or HTTP head is not yet done."""
        self._sources: Counter[str] = Counter()

    def refuse(self, source: str) -> Drop | None:
        """Why one more connection from ``source`` may not be; None: it may."""
        if self.total >= self.limits.max_connections:
            return Drop.TOO_MANY_CONNECTIONS
        if self._sources[source] >= self.limits.max_per_source:
            return Drop.TOO_MANY_FROM_SOURCE
        if self.handshakes >= self.limits.max_handshakes:
            return Drop.TOO_MANY_HANDSHAKES
        return None

    def enter(self, source: str) -> None:
        """A connection was accepted; its handshake begins."""
        self.total += 1
        self._sources[source] += 1
        self.handshakes += 1

    def established(self) -> None:
        """A connection has sent its HTTP head."""
        self.handshakes -= 1

    def leave(self, source: str, established: bool) -> None:
        """A connection has ended."""
        self.total -= 1
        if not established:
            self.handshakes -= 1
        self._sources[source] -= 1
        if self._sources[source] <= 0:
            del self._sources[source]


def source_of(address: str) -> str:
    """What counts as one source: an IPv4 address, or an IPv6 /64 (a host can use all of it)."""
    ip = ip_address(address.partition("%")[0])
    return str(IPv6Network((ip, 64), strict=False)) if isinstance(ip, IPv6Address) else str(ip)


def listen(listener: str) -> socket.socket:
    """A listening socket on ``ADDRESS:PORT``.

    Raises :class:`NotPermitted` or :class:`KernelError`, one clear line, when it cannot be had.
    """
    host, _, port = listener.rpartition(":")
    host = host.strip("[]")
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, int(port)))
        sock.listen(1024)
        sock.setblocking(False)
    except PermissionError:
        sock.close()
        raise NotPermitted(
            f"not permitted to listen on {listener}", "run as root, or grant CAP_NET_BIND_SERVICE"
        ) from None
    except OSError as error:
        sock.close()
        raise KernelError(
            f"cannot listen on {listener}: {error.strerror}",
            f"see who has it: ss -ltnp 'sport = :{port}'; or change gateway.listen",
        ) from None
    return sock
