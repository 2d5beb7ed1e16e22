"""Every connection in IPv6, looked at once and changed where that is wanted: in slices, for there may be 250,000.

Other work comes in between the slices, so none takes long. Only what a look needs is read, from the places where the
kernel always puts it; a message of another form is read attribute by attribute.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterable, Iterator
from errno import ENOENT
from socket import AF_INET6
from typing import NamedTuple

from manageout.linux.netlink import messages as rtnetlink
from manageout.linux.netlink.conntrack import connection
from manageout.linux.netlink.messages import Refused, attribute, attributes
from manageout.linux.nft.sets import NETFILTER

SLICE = 0.001
"""Seconds that a slice may take, about."""

_NEW, _GET, _DELETE = 1 << 8, 1 << 8 | 1, 1 << 8 | 2
_GENERIC = struct.Struct("!BBH")
_NESTED = 0x8000
_ORIGINAL, _MARK, _ID, _MARK_MASK = 1, 8, 12, 21

# A message begins with its family (4 bytes), then the original tuple: its addresses, then protocol and ports.
_ORIGINAL_AT, _SOURCE_AT, _DESTINATION_AT, _PROTOCOL_AT, _PORT_AT = 4, 12, 32, 56, 72
_LENGTH = struct.Struct("=H")
_SOURCE_HEAD, _DESTINATION_HEAD = struct.pack("=HH", 20, 3), struct.pack("=HH", 20, 4)
_PROTOCOL_HEAD, _PORT_HEAD = struct.pack("=HH", 5, 1), struct.pack("=HH", 6, 3)


class Ends(NamedTuple):
    """What a look knows of a connection, as the one sees it who began it. ``port``: 0 where there is none."""

    protocol: int
    source: bytes
    destination: bytes
    port: int
    seen_as: bytes
    """The source that the other end sees."""


class Change(NamedTuple):
    """What is done to those that are chosen."""

    kind: int
    what: str
    body: bytes = b""


FORGET = Change(_DELETE, "forget a connection")


def mark(bit: int) -> Change:
    """Set one ``bit`` of the mark, and leave the others as they are."""
    value = struct.pack("!I", bit)
    return Change(_NEW, "mark a connection", attribute(_MARK, value) + attribute(_MARK_MASK, value))


def walk(chosen: Callable[[Ends], bool], change: Change) -> Iterator[int]:
    """Change the connections for which ``chosen`` is true, but for probes of ours; yields how many, slice by slice.

    Raises :class:`KernelError`, :class:`NotPermitted`.
    """

    def act(writer: rtnetlink.Socket, body: bytes) -> bool:
        found = ends(body)
        if found is None or not chosen(found) or connection(body, lambda source, destination: True) is None:
            return False
        return make(writer, body, change)

    return slices((AF_INET6,), act)


def slices(families: Iterable[int], act: Callable[[rtnetlink.Socket, bytes], bool]) -> Iterator[int]:
    """Read all connections of ``families``, and ``act`` on each message; yields how many it has changed, by slice.

    ``act`` gets a socket for its changes. Raises :class:`KernelError`, :class:`NotPermitted`.
    """
    reader, writer = rtnetlink.Socket(protocol=NETFILTER), rtnetlink.Socket(protocol=NETFILTER)
    try:
        until, changed = time.monotonic() + SLICE, 0
        for family in families:
            for message in reader.each(_GET, _GENERIC.pack(family, 0, 0), "read the connections"):
                changed += act(writer, message.body)
                if time.monotonic() >= until:
                    yield changed
                    until, changed = time.monotonic() + SLICE, 0
        yield changed
    finally:
        reader.close()
        writer.close()


def ends(body: bytes) -> Ends | None:
    """What a message says; None when it is not about IPv6."""
    if (
        body[_SOURCE_AT : _SOURCE_AT + 4] != _SOURCE_HEAD
        or body[_DESTINATION_AT : _DESTINATION_AT + 4] != _DESTINATION_HEAD
        or body[_PROTOCOL_AT : _PROTOCOL_AT + 4] != _PROTOCOL_HEAD
    ):
        return _ends_of_another_form(body)
    (length,) = _LENGTH.unpack_from(body, _ORIGINAL_AT)
    reply = (length + 3 & ~3) + _DESTINATION_AT
    if body[reply : reply + 4] != _DESTINATION_HEAD:
        return _ends_of_another_form(body)
    ported = body[_PORT_AT : _PORT_AT + 4] == _PORT_HEAD
    return Ends(
        body[_PROTOCOL_AT + 4],
        body[_SOURCE_AT + 4 : _DESTINATION_AT],
        body[_DESTINATION_AT + 4 : _DESTINATION_AT + 20],
        int.from_bytes(body[_PORT_AT + 4 : _PORT_AT + 6], "big") if ported else 0,
        body[reply + 4 : reply + 20],
    )


def _ends_of_another_form(body: bytes) -> Ends | None:
    found = connection(body, lambda source, destination: True)
    if found is None:
        return None
    return Ends(found.protocol, found.source, found.destination, found.port, found.seen_as)


def make(socket: rtnetlink.Socket, body: bytes, change: Change) -> bool:
    """Change the connection of this message; False when it has ended meanwhile.

    It is named by its tuple, and by its number, so that no later one of the same tuple is meant.
    """
    values = attributes(body[_GENERIC.size :])
    named = _GENERIC.pack(body[0], 0, 0) + attribute(_ORIGINAL | _NESTED, values[_ORIGINAL])
    if _ID in values:
        named += attribute(_ID, values[_ID])
    try:
        socket.request(change.kind, named + change.body, change.what)
    except Refused as error:
        if error.number != ENOENT:
            raise
        return False
    return True
