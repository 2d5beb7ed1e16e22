"""Connections that begin and end, told by the kernel (ctnetlink); it sorts out what nobody asked for by itself.

A classic BPF program on the socket lets connections to some prefixes pass. It looks at the places where the kernel
puts the addresses of an IPv6 connection (first the original tuple, in it first the addresses); a message of another
form passes, for the reader judges again.
"""

from __future__ import annotations

import contextlib
import ctypes
import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Network
from socket import AF_INET6
from typing import NamedTuple

from manageout.linux.netlink import messages as rtnetlink
from manageout.linux.netlink.conntrack import Connection, connection, towards
from manageout.linux.nft.sets import NETFILTER

LIMIT = 200
"""Events read in one go: other work comes in between."""
BUFFER = 4 << 20

_GROUPS = 1 << 0 | 1 << 2  # new, destroyed
_DESTROYED = 1 << 8 | 2
_SO_RCVBUFFORCE, _SO_ATTACH_FILTER = 33, 26
_FAMILY, _SOURCE_KIND, _DESTINATION_KIND, _DESTINATION = 16, 30, 50, 52
_SOURCE, _DESTINATION_ATTRIBUTE = 3, 4
_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE, _AND, _EQUAL, _RETURN = 0x20, 0x28, 0x30, 0x54, 0x15, 0x06
_PASS, _DROP = (_RETURN, 0, 0, 0xFFFFFFFF), (_RETURN, 0, 0, 0)

Instruction = tuple[int, int, int, int]


class Event(NamedTuple):
    """A connection has begun or, with its final counters, ended."""

    ended: bool
    connection: Connection


class ConnectionEvents:
    """A subscription to connections whose destination is in one of ``prefixes``. Needs CAP_NET_ADMIN.

    Wait on :meth:`fileno`, then :meth:`read`. Raises :class:`KernelError`, :class:`NotPermitted`.
    """

    def __init__(self, prefixes: Iterable[IPv6Network]) -> None:
        wanted = list(prefixes)
        self._wanted = towards(wanted)
        try:
            self._socket = rtnetlink.Socket(_GROUPS, NETFILTER)
        except OSError as error:
            raise rtnetlink.refused(error.errno or 0, "listen to connections") from None
        with contextlib.suppress(OSError):  # without CAP_NET_ADMIN the default size stays
            self._socket.option(_SO_RCVBUFFORCE, BUFFER)
        self._narrow(program(wanted))

    def _narrow(self, instructions: list[Instruction]) -> None:
        code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in instructions))
        self._socket.option(_SO_ATTACH_FILTER, struct.pack("@HP", len(instructions), ctypes.addressof(code)))

    @property
    def lost(self) -> int:
        """Times that events were lost: then look at the whole table."""
        return self._socket.lost

    def fileno(self) -> int:
        """For ``loop.add_reader``."""
        return self._socket.fileno()

    def read(self) -> Iterator[Event]:
        """What has happened since; about :data:`LIMIT` events at most."""
        for message in self._socket.notifications(LIMIT):
            found = connection(message.body, self._wanted)
            if found is not None:
                yield Event(message.type == _DESTROYED, found)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()


def program(prefixes: Iterable[IPv6Network]) -> list[Instruction]:
    """Passes messages about connections in IPv6 to ``prefixes``, and such as have another form."""
    code: list[Instruction] = [(_LOAD_BYTE, 0, 0, _FAMILY), (_EQUAL, 1, 0, AF_INET6), _DROP]
    for place, kind in ((_SOURCE_KIND, _SOURCE), (_DESTINATION_KIND, _DESTINATION_ATTRIBUTE)):
        (as_loaded,) = struct.unpack("!H", struct.pack("=H", kind))
        code += [(_LOAD_HALF, 0, 0, place), (_EQUAL, 1, 0, as_loaded), _PASS]
    for prefix in prefixes:
        code += _match(prefix)
    return [*code, _DROP]


def _match(prefix: IPv6Network) -> list[Instruction]:
    values, masks = (
        struct.unpack("!4I", prefix.network_address.packed),
        struct.unpack("!4I", prefix.netmask.packed),
    )
    words = [
        (number, value, mask) for number, (value, mask) in enumerate(zip(values, masks, strict=True)) if mask
    ]
    code: list[Instruction] = [_PASS]
    for number, value, mask in reversed(words):
        # Where a word differs, go on behind this prefix.
        code.insert(0, (_EQUAL, 0, len(code), value))
        code.insert(0, (_AND, 0, 0, mask))
        code.insert(0, (_LOAD_WORD, 0, 0, _DESTINATION + 4 * number))
    return code
