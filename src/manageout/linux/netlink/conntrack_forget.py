"""What the kernel's table of connections holds about some addresses, forgotten in slices as by ``conntrack_walk``."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from socket import AF_INET, AF_INET6

from manageout.linux.netlink.conntrack_walk import FORGET, make, slices
from manageout.linux.netlink.messages import attributes

_GENERIC = struct.Struct("!BBH")
_ORIGINAL, _REPLY = 1, 2
_ADDRESSES = 1
_LENGTH = struct.Struct("=H")
_TUPLE_AT = 4
# Within a tuple, the addresses come first: their head, then source and destination, each with a head of four bytes.
_HEADS = {
    int(AF_INET6): (struct.pack("=HH", 20, 3), struct.pack("=HH", 20, 4), 16),
    int(AF_INET): (struct.pack("=HH", 8, 1), struct.pack("=HH", 8, 2), 4),
}


def forget_of(gone: Callable[[bytes], bool]) -> Iterator[int]:
    """Forget every connection, in both families, one of whose addresses is ``gone``: :func:`forget_where`."""
    return forget_where(lambda ends: any(map(gone, ends)))


def forget_where(chosen: Callable[[tuple[bytes, ...]], bool]) -> Iterator[int]:
    """Forget every connection, in both families, for whose :func:`addresses` this is true; yields how many, by slice.

    Raises :class:`KernelError`, :class:`NotPermitted`.
    """
    return slices(
        (AF_INET6, AF_INET), lambda writer, body: chosen(addresses(body)) and make(writer, body, FORGET)
    )


def addresses(body: bytes) -> tuple[bytes, ...]:
    """Source and destination in both directions, from where the kernel always puts them."""
    heads = _HEADS.get(body[0])
    if heads is None:
        return ()
    source, destination, size = heads
    found: list[bytes] = []
    at = _TUPLE_AT
    for _ in range(2):
        first, second = at + 8, at + 12 + size
        if body[first : first + 4] != source or body[second : second + 4] != destination:
            return _of_another_form(body)
        found += (body[first + 4 : second], body[second + 4 : second + 4 + size])
        (length,) = _LENGTH.unpack_from(body, at)
        at += length + 3 & ~3
    return tuple(found)


def _of_another_form(body: bytes) -> tuple[bytes, ...]:
    values = attributes(body[_GENERIC.size :])
    ends = (
        attributes(attributes(values.get(kind, b"")).get(_ADDRESSES, b"")) for kind in (_ORIGINAL, _REPLY)
    )
    return tuple(address for end in ends for address in end.values())
