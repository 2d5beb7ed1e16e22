"""Every connection, looked at once and changed where that is wanted: in slices, for there may be 250,000.

Other work comes in between the slices, so none takes long. Only what a look needs is read.
"""

import struct
import time
from collections.abc import Callable, Iterable, Iterator
from errno import ENOENT
from socket import AF_INET, AF_INET6
from typing import NamedTuple

from manageout.linux.netlink import conntrack, netfilter
from manageout.linux.netlink.conntrack import Ends
from manageout.linux.netlink.messages import absent, attribute, nested
from manageout.linux.netlink.netfilter import NetfilterSocket

SLICE = 0.001
"""Seconds that a slice may take, about."""
BOTH = (AF_INET6, AF_INET)

_ID, _MARK_MASK = 12, 21


class Action(NamedTuple):
    """What is done to those that are chosen."""

    kind: int
    what: str
    body: bytes = b""


FORGET = Action(conntrack.DELETE, "forget a connection")


def mark(bit: int) -> Action:
    """Set one ``bit`` of the mark, and leave the others as they are."""
    value = struct.pack("!I", bit)
    body = attribute(conntrack.MARK, value) + attribute(_MARK_MASK, value)
    return Action(conntrack.NEW, "mark a connection", body)


def walk(
    chosen: Callable[[Ends], bool], change: Action, families: Iterable[int] = (AF_INET6,)
) -> Iterator[int]:
    """Change the connections for which ``chosen`` is true, but for probes of ours; yields how many, slice by slice.

    Raises :class:`KernelError`, :class:`NotPermitted`.
    """
    with NetfilterSocket() as reader, NetfilterSocket() as writer:
        until, changed = time.monotonic() + SLICE, 0
        for family in families:
            for message in reader.each(conntrack.GET, netfilter.body(family), "read the connections"):
                found = conntrack.ends(message.body)
                if found is not None and chosen(found):
                    changed += _make(writer, message.body, change)
                if time.monotonic() >= until:
                    yield changed
                    until, changed = time.monotonic() + SLICE, 0
        yield changed


def forget_of(gone: Callable[[bytes], bool]) -> Iterator[int]:
    """Forget the connections, in both families, one of whose addresses is ``gone``: a :func:`walk`."""
    return walk(
        lambda ends: (
            gone(ends.source) or gone(ends.destination) or gone(ends.seen_as) or gone(ends.answering)
        ),
        FORGET,
        BOTH,
    )


def _make(socket: NetfilterSocket, body: bytes, change: Action) -> bool:
    """Change the connection of this message; False for a probe of ours, and when it has ended meanwhile.

    It is named by its tuple, and by its number, so that no later one of the same tuple is meant.
    """
    values = netfilter.values(body)
    if conntrack.is_probe(values):
        return False
    named = netfilter.body(body[0], nested(conntrack.ORIGINAL, values[conntrack.ORIGINAL]))
    if _ID in values:
        named += attribute(_ID, values[_ID])
    done = False
    with absent(ENOENT):
        socket.request(change.kind, named + change.body, change.what)
        done = True
    return done
