"""Connections by a balancer: whom they are for is said by a PROXY protocol header, before anything is judged.

With the command LOCAL the balancer speaks for itself, to see whether we are there: by no more than the header, or by
TLS. Then its own address counts (proxy-protocol.txt 2.2: "must use the real connection endpoints").
"""

import asyncio
import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address

from manageout.errors import WireError
from manageout.wire import proxy

MAX_WAITING = 1024
"""Connections without a header; the oldest makes room. A balancer sends it with its first packet."""


class Balancers:
    """Belongs to the thread that accepts. ``met`` gets a socket and whose it is, ``refused`` an address and why."""

    def __init__(
        self,
        met: Callable[[socket.socket, tuple[str, int]], None],
        refused: Callable[[str, str], None],
    ) -> None:
        self._met, self._refused = met, refused
        self._waiting: dict[socket.socket, tuple[tuple[str, int], bytearray, asyncio.TimerHandle]] = {}
        self._local: set[socket.socket] = set()

    def take(self, sock: socket.socket, peer: tuple[str, int], patience: float) -> None:
        """Wait ``patience`` seconds for the header."""
        sock.setblocking(False)
        if len(self._waiting) >= MAX_WAITING:
            self._refuse(next(iter(self._waiting)), "newcomers need its place")
        loop = asyncio.get_running_loop()
        late = loop.call_later(patience, self._refuse, sock, "it did not come in time")
        self._waiting[sock] = peer, bytearray(), late
        loop.add_reader(sock, self._on_readable, sock)
        self._on_readable(sock)

    def close(self) -> None:
        """End all that wait."""
        for sock in list(self._waiting):
            self._forget(sock).close()

    def _on_readable(self, sock: socket.socket) -> None:
        if sock in self._local:
            self._on_its_own(sock)
            return
        _, data, _ = self._waiting[sock]
        try:
            # Not a byte more than the header: what follows is for TLS.
            while wanted := proxy.missing(data):
                got = sock.recv(wanted)
                if not got:
                    break
                data += got
            found = None if wanted else proxy.parse(data)
        except BlockingIOError:
            return
        except (OSError, WireError) as error:
            self._refuse(sock, str(error) if isinstance(error, WireError) else error.strerror or "lost")
            return
        if found is not None:
            self._met(self._forget(sock), (str(found.address), found.port))
        elif wanted and data:
            self._refuse(sock, "it ended in the middle")
        elif wanted:  # nothing at all: the balancer looks whether we are there
            self._forget(sock).close()
        else:
            self._local.add(sock)
            self._on_readable(sock)

    def _on_its_own(self, sock: socket.socket) -> None:
        """What follows LOCAL: nothing, or TLS."""
        peer, _, _ = self._waiting[sock]
        try:
            more = sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        self._forget(sock)
        if more:
            self._met(sock, peer)
        else:
            sock.close()

    def _refuse(self, sock: socket.socket, why: str) -> None:
        (address, _), local = self._waiting[sock][0], sock in self._local
        self._forget(sock).close()
        if not local:
            self._refused(address, why)

    def _forget(self, sock: socket.socket) -> socket.socket:
        self._local.discard(sock)
        _, _, late = self._waiting.pop(sock)
        late.cancel()
        asyncio.get_running_loop().remove_reader(sock)
        return sock


def is_balancer(address: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Whether a connection from ``address`` must say by a header whom it is for."""
    networks = tuple(networks)
    return bool(networks) and any(ip_address(address.partition("%")[0]) in network for network in networks)


def header_of_a_stranger(sock: socket.socket) -> bool:
    """Whether what has come first, and stays there to be read, is such a header."""
    try:
        return proxy.begins(sock.recv(len(proxy.SIGNATURE), socket.MSG_PEEK))
    except OSError:
        return False  # whoever reads it meets the same
