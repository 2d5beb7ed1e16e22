"""Connections that begin and end, told by the kernel (ctnetlink); it sorts out what nobody asked for by itself.

A classic BPF program on the socket lets connections to some prefixes pass. It looks at the places where the kernel
puts the addresses of an IPv6 connection (first the original tuple, in it first the addresses); a message of another
form passes, for the reader judges again.
"""

import contextlib
import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Network
from socket import AF_INET6
from typing import NamedTuple

from manageout.errors import ManageoutError
from manageout.linux.netlink import conntrack
from manageout.linux.netlink.conntrack import ConntrackEntry
from manageout.linux.netlink.messages import Instruction
from manageout.linux.netlink.netfilter import NetfilterSocket

LIMIT = 200
"""Events read in one go: other work comes in between."""
BUFFER = 4 << 20

_GROUPS = 1 << 0 | 1 << 2  # new, destroyed
_SO_RCVBUFFORCE = 33
_FAMILY, _SOURCE_KIND, _DESTINATION_KIND, _DESTINATION = 16, 30, 50, 52
_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE, _AND, _EQUAL, _RETURN = 0x20, 0x28, 0x30, 0x54, 0x15, 0x06
_PASS, _DROP = (_RETURN, 0, 0, 0xFFFFFFFF), (_RETURN, 0, 0, 0)


class Event(NamedTuple):
    """A connection has begun or, with its final counters, ended."""

    ended: bool
    connection: ConntrackEntry


class ConnectionEvents(NetfilterSocket):
    """A subscription to connections whose destination is in one of ``prefixes``. Needs CAP_NET_ADMIN.

    Wait on ``fileno()``, then :meth:`read`; after ``lost`` events look at the whole table.
    """

    def __init__(self, prefixes: Iterable[IPv6Network]) -> None:
        wanted = list(prefixes)
        super().__init__(_GROUPS)
        self._wanted = conntrack.towards(wanted)
        with contextlib.suppress(ManageoutError):  # without CAP_NET_ADMIN the default size stays
            self.option(_SO_RCVBUFFORCE, BUFFER)
        self.narrow(program(wanted))

    def read(self) -> Iterator[Event]:
        """What has happened since; about :data:`LIMIT` events at most."""
        for message in self.notifications(LIMIT):
            found = conntrack.connection(message.body, self._wanted)
            if found is not None:
                yield Event(message.type == conntrack.DELETE, found)


def program(prefixes: Iterable[IPv6Network]) -> list[Instruction]:
    """Passes messages about connections in IPv6 to ``prefixes``, and such as have another form."""
    code: list[Instruction] = [(_LOAD_BYTE, 0, 0, _FAMILY), (_EQUAL, 1, 0, AF_INET6), _DROP]
    for place, kind in (
        (_SOURCE_KIND, conntrack.SOURCE[AF_INET6]),
        (_DESTINATION_KIND, conntrack.DESTINATION[AF_INET6]),
    ):
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
