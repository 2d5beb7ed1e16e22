"""Connections that the kernel shall forget, or carry a mark from now on: changes by ctnetlink."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from errno import ENOENT
from socket import AF_INET, AF_INET6

from manageout.linux import rtnetlink
from manageout.linux.conntrack import Connection, connection
from manageout.linux.nft_sets import NETFILTER
from manageout.linux.rtnetlink import Refused, attribute, attributes

_NEW, _GET, _DELETE = 1 << 8, 1 << 8 | 1, 1 << 8 | 2
_GENERIC = struct.Struct("!BBH")
_NESTED = 0x8000
_ORIGINAL, _REPLY, _MARK, _ID, _MARK_MASK = 1, 2, 8, 12, 21
_ADDRESSES = 1

Chosen = Callable[[Connection], bool]


def forget(chosen: Chosen) -> int:
    """Forget the connections in IPv6 for which ``chosen`` is true; how many.

    Raises :class:`KernelError`, :class:`NotPermitted`.
    """
    return _each(chosen, _DELETE, "forget a connection", b"")


def forget_of(gone: Callable[[bytes], bool]) -> int:
    """Forget every connection, in IPv4 too, that has an address for which ``gone`` is true; how many.

    Raises :class:`KernelError`, :class:`NotPermitted`.
    """
    socket, forgotten = rtnetlink.Socket(protocol=NETFILTER), 0
    try:
        for family in (AF_INET6, AF_INET):
            named = []
            for message in socket.each(_GET, _GENERIC.pack(family, 0, 0), "read the connections"):
                values = attributes(message.body[_GENERIC.size :])
                if any(map(gone, _ends(values))):
                    named.append(_named(family, values))
            forgotten += sum(_changed(socket, _DELETE, body, "forget a connection") for body in named)
    finally:
        socket.close()
    return forgotten


def _ends(values: dict[int, bytes]) -> Iterator[bytes]:
    """Every address of a connection, in both directions."""
    for direction in (_ORIGINAL, _REPLY):
        yield from attributes(attributes(values.get(direction, b"")).get(_ADDRESSES, b"")).values()


def mark(chosen: Chosen, bit: int) -> int:
    """Set one ``bit`` in the marks of those connections, and leave the others as they are; how many.

    Raises :class:`KernelError`, :class:`NotPermitted`.
    """
    value = struct.pack("!I", bit)
    return _each(chosen, _NEW, "mark a connection", attribute(_MARK, value) + attribute(_MARK_MASK, value))


def _each(chosen: Chosen, kind: int, what: str, change: bytes) -> int:
    socket = rtnetlink.Socket(protocol=NETFILTER)
    try:
        # The table is read to its end first: a socket has one conversation at a time.
        bodies = [
            values
            for message in socket.each(_GET, _GENERIC.pack(AF_INET6, 0, 0), "read the connections")
            if (values := _request(message.body, chosen)) is not None
        ]
        return sum(_changed(socket, kind, body + change, what) for body in bodies)
    finally:
        socket.close()


def _request(body: bytes, chosen: Chosen) -> bytes | None:
    """What names the connection: its tuple, and its number, so that no later one of the same tuple is meant."""
    found = connection(body, lambda source, destination: True)
    if found is None or not chosen(found):
        return None
    return _named(AF_INET6, attributes(body[_GENERIC.size :]))


def _named(family: int, values: dict[int, bytes]) -> bytes:
    named = attribute(_ORIGINAL | _NESTED, values[_ORIGINAL])
    return _GENERIC.pack(family, 0, 0) + named + (attribute(_ID, values[_ID]) if _ID in values else b"")


def _changed(socket: rtnetlink.Socket, kind: int, body: bytes, what: str) -> bool:
    try:
        socket.request(kind, body, what)
    except Refused as error:
        if error.number != ENOENT:
            raise
        return False  # it has ended meanwhile
    return True
