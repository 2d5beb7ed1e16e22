"""Elements of nftables sets and maps, and counters, by netlink: what changes while the rules stay.

The ``nft`` program would cost a process for each client that comes or goes; this is one system call for all
changes of a turn. The rules themselves go through :mod:`manageout.linux.nft.program`.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from manageout.linux.netlink import messages as netlink
from manageout.linux.netlink.messages import Message, Request
from manageout.linux.netlink.netfilter import NetfilterSocket, body, values

TIMEOUT_MILLISECONDS = 3_600_000
PER_MESSAGE = 500
PER_BATCH = 5000

_SUBSYSTEM = 10 << 8
_NEW_ELEMENT, _GET_ELEMENT, _DELETE_ELEMENT = _SUBSYSTEM | 12, _SUBSYSTEM | 13, _SUBSYSTEM | 14
_GET_OBJECT = _SUBSYSTEM | 19
_DELETE_TABLE, _DELETE_CHAIN, _DELETE_RULE = _SUBSYSTEM | 2, _SUBSYSTEM | 5, _SUBSYSTEM | 8
_GROUP_NFTABLES = 1 << 7 - 1
_INET = 1
_CREATE = 0x400

_LIST_TABLE, _LIST_SET, _LIST_ELEMENTS = 1, 2, 3
_KEY, _DATA, _EXPIRATION, _EXPRESSION = 1, 2, 5, 7
_VALUE = 1
_EXPRESSION_DATA = 2
_BYTES, _PACKETS = 1, 2
_TABLE_NAME = 1
_OBJECT_TABLE, _OBJECT_NAME, _OBJECT_TYPE, _OBJECT_DATA = 1, 2, 3, 4
_COUNTER = 1

_BEGIN, _END = Request(0x10, body(resource=10)), Request(0x11, body(resource=10))


class Change(NamedTuple):
    """One element that comes or goes. ``value``: of a map."""

    set: str
    add: bool
    key: bytes
    value: bytes | None = None


class Counted(NamedTuple):
    """One element of a set with counters. ``age``: seconds since it was last refreshed, or None."""

    key: bytes
    packets: int
    age: float | None


class NftSets(NetfilterSocket):
    """The sets of one table of family inet. Every method raises :class:`KernelError`, :class:`NotPermitted`."""

    def __init__(self, table: str, writer: Callable[[], netlink.Socket | None] = lambda: None) -> None:
        """``table``: its name without the family. ``writer``: the socket that may change it, if only one may."""
        super().__init__()
        self._table = table
        self._writer = writer

    def change(self, changes: Sequence[Change]) -> None:
        """Make all of ``changes`` in their order, each :data:`PER_BATCH` of them at once or not at all."""
        socket = self._writer() or self
        for start in range(0, len(changes), PER_BATCH):
            requests = list(self._requests(changes[start : start + PER_BATCH]))
            socket.batch(_BEGIN, requests, _END, f"change sets of the packet filter {self._table}")

    def counters(self) -> dict[str, tuple[int, int]]:
        """Packets and bytes of every named counter; none without the table."""
        kind = netlink.attribute(_OBJECT_TYPE, struct.pack("!I", _COUNTER))
        asked = body(_INET, netlink.text(_OBJECT_TABLE, self._table), kind)
        found: dict[str, tuple[int, int]] = {}
        for message in self.dump(_GET_OBJECT, asked, f"read the counters of {self._table}"):
            told = values(message.body)
            found[told[_OBJECT_NAME].rstrip(b"\0").decode()] = _counter(told[_OBJECT_DATA])
        return found

    def counted(self, name: str) -> list[Counted]:
        """The elements of the set ``name``, whose elements have counters and a timeout."""
        asked = body(_INET, netlink.text(_LIST_TABLE, self._table), netlink.text(_LIST_SET, name))
        messages = self.dump(_GET_ELEMENT, asked, f"read the set {name} of {self._table}")
        listed = (values(message.body).get(_LIST_ELEMENTS, b"") for message in messages)
        return [_counted(element) for data in listed for _, element in netlink.attribute_list(data)]

    def _requests(self, changes: Sequence[Change]) -> Iterator[Request]:
        """Neighbours that concern the same set share a message."""
        start = 0
        for end in range(1, len(changes) + 1):
            same = end < len(changes) and changes[end][:2] == changes[start][:2]
            if not same or end - start == PER_MESSAGE:
                yield self._request(changes[start:end])
                start = end

    def _request(self, changes: Sequence[Change]) -> Request:
        elements = (netlink.nested(1, _element(change)) for change in changes)
        named = netlink.text(_LIST_TABLE, self._table), netlink.text(_LIST_SET, changes[0].set)
        asked = body(_INET, *named, netlink.nested(_LIST_ELEMENTS, *elements))
        return Request(_NEW_ELEMENT, asked, _CREATE) if changes[0].add else Request(_DELETE_ELEMENT, asked)


def _element(change: Change) -> bytes:
    parts = ((_KEY, change.key), (_DATA, change.value))
    return b"".join(
        netlink.nested(kind, netlink.attribute(_VALUE, value)) for kind, value in parts if value is not None
    )


def _counted(data: bytes) -> Counted:
    element = netlink.attributes(data)
    key = netlink.attributes(element[_KEY])[_VALUE]
    packets, _ = _counter(netlink.attributes(element.get(_EXPRESSION, b"")).get(_EXPRESSION_DATA, b""))
    left = element.get(_EXPIRATION)
    age = None if left is None else max(0, TIMEOUT_MILLISECONDS - int.from_bytes(left, "big")) / 1000
    return Counted(key, packets, age)


def _counter(data: bytes) -> tuple[int, int]:
    told = netlink.attributes(data)
    packets, size = told.get(_PACKETS, b""), told.get(_BYTES, b"")
    return int.from_bytes(packets, "big"), int.from_bytes(size, "big")


class TableMonitor(NetfilterSocket):
    """Tells when a table, or chains or rules of one, were removed whose name begins with ``name``.

    Wait on ``fileno()``, then ask :meth:`removed`.
    """

    def __init__(self, name: str) -> None:
        super().__init__(_GROUP_NFTABLES)
        self._name = name.encode()

    def removed(self) -> bool:
        """Empty the socket; whether it was so, by whomever."""
        return any(map(self._concerns, self.notifications()))

    def _concerns(self, message: Message) -> bool:
        if message.type not in (_DELETE_TABLE, _DELETE_CHAIN, _DELETE_RULE):
            return False
        return values(message.body).get(_TABLE_NAME, b"").startswith(self._name)
