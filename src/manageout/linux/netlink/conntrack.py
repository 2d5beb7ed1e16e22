"""The kernel's table of connections, read by ctnetlink: one row at a time, for there may be a million."""

import struct
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv6Network
from socket import AF_INET, AF_INET6
from typing import NamedTuple

from manageout.linux.netlink import netfilter
from manageout.linux.netlink.messages import attributes
from manageout.linux.netlink.netfilter import NetfilterSocket
from manageout.wire.address import bounds

ACCOUNTING = "net.netfilter.nf_conntrack_acct"
TIMESTAMPS = "net.netfilter.nf_conntrack_timestamp"
COUNT = "net.netfilter.nf_conntrack_count"
MAXIMUM = "net.netfilter.nf_conntrack_max"

PROBE_MARK = 0x20000000
"""Of packets and connections of our own that speak in a manager's name: they are nobody's calls."""

TCP = 6
NEW, GET, DELETE = 1 << 8, 1 << 8 | 1, 1 << 8 | 2
"""Messages of ctnetlink."""
ORIGINAL, MARK = 1, 8
"""Attributes of a connection: how it began, and its mark."""
_REPLY, _STATUS, _PROTOCOL_STATE = 2, 3, 4
_SENT, _RECEIVED, _TIMESTAMP = 9, 10, 20
_ADDRESSES, _PROTOCOL = 1, 2
SOURCE: dict[int, int] = {AF_INET6: 3, AF_INET: 1}
DESTINATION: dict[int, int] = {AF_INET6: 4, AF_INET: 2}
"""Attributes of addresses, by family."""
_SIZES: dict[int, int] = {AF_INET6: 16, AF_INET: 4}
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_PACKETS, _BYTES = 1, 2
_START = 1
_TCP, _TCP_STATE = 1, 1
_SEEN_REPLY = 0x2

TCP_STATES = (
    "none", "syn-sent", "syn-received", "established", "fin-wait", "close-wait", "last-ack", "time-wait", "closed",
    "listen",
)  # fmt: skip


class Ends(NamedTuple):
    """Who speaks with whom, as the one sees it who began it. ``port``: 0 where the protocol has none."""

    protocol: int
    source: bytes
    destination: bytes
    port: int
    seen_as: bytes
    """The source that the other end sees; it differs where addresses are rewritten."""
    answering: bytes
    """Whence answers come; it differs from the destination where that is rewritten."""


class ConntrackEntry(NamedTuple):
    """One connection, as the one sees it who began it. Ports are 0 where the protocol has none."""

    protocol: int
    source: bytes
    source_port: int
    destination: bytes
    port: int
    seen_as: bytes
    state: str
    """Of TCP in its own words; else ``replied`` or ``unreplied``."""
    start: float | None
    """Unix seconds; None without :data:`TIMESTAMPS`."""
    sent_packets: int
    """This and the following are 0 without :data:`ACCOUNTING`."""
    sent_bytes: int
    received_packets: int
    received_bytes: int


def towards(prefixes: Iterable[IPv6Network]) -> Callable[[bytes, bytes], bool]:
    """Whether a connection's destination is in one of ``prefixes``; for :func:`connections`."""
    known = [bounds(prefix) for prefix in prefixes]
    return lambda source, destination: any(low <= destination <= high for low, high in known)


def connections(wanted: Callable[[bytes, bytes], bool]) -> Iterator[ConntrackEntry]:
    """Connections in IPv6 for whose source and destination ``wanted`` is true. Needs CAP_NET_ADMIN.

    Raises :class:`KernelError`, :class:`NotPermitted`.
    """
    return (found for found in each_connection(wanted) if found is not None)


def each_connection(wanted: Callable[[bytes, bytes], bool]) -> Iterator[ConntrackEntry | None]:
    """The same, with None for each that is not wanted: there may be many, and packets have to be served."""
    with NetfilterSocket() as socket:
        for message in socket.each(GET, netfilter.body(AF_INET6), "read the connections"):
            yield connection(message.body, wanted)


def connection(body: bytes, wanted: Callable[[bytes, bytes], bool]) -> ConntrackEntry | None:
    """What a message of ctnetlink says, if it is about IPv6, ``wanted``, and no probe of ours."""
    found = ends(body) if body[0] == AF_INET6 else None
    if found is None or not wanted(found.source, found.destination):
        return None
    values = netfilter.values(body)
    if is_probe(values):
        return None
    original = attributes(values[ORIGINAL])
    sent, received = attributes(values.get(_SENT, b"")), attributes(values.get(_RECEIVED, b""))
    start = _number(attributes(values.get(_TIMESTAMP, b"")), _START)
    port = _number(attributes(original.get(_PROTOCOL, b"")), _SOURCE_PORT)
    since, state = start / 1e9 if start else None, _state(found.protocol, values)
    protocol, source, destination, service, seen_as, _ = found
    who = protocol, source, port, destination, service, seen_as
    there, back = ((_number(way, _PACKETS), _number(way, _BYTES)) for way in (sent, received))
    return ConntrackEntry(*who, state, since, *there, *back)


class _Form:
    """Where the kernel puts who speaks with whom, in one family: first the original tuple, in it first its addresses,
    then protocol and ports. Each attribute stands behind its length and its type."""

    def __init__(self, family: int, size: int) -> None:
        self.original = struct.Struct(f"=H6x4s{size}s4s{size}s4x4sB11x4s2s")
        self.reply = struct.Struct(f"=8x4s{size}s4s{size}s")
        source, destination = (struct.pack("=HH", 4 + size, kind[family]) for kind in (SOURCE, DESTINATION))
        self.heads = source, destination, struct.pack("=HH", 5, _NUMBER), source, destination


_FORMS = {family: _Form(family, size) for family, size in _SIZES.items()}
_PORT_HEAD = struct.pack("=HH", 6, _DESTINATION_PORT)
_ORIGINAL_AT = 4


def ends(body: bytes) -> Ends | None:
    """Who speaks with whom, by a message of ctnetlink about either family; else None.

    Read from the places where the kernel always puts it, which takes a tenth of the time; a message of another form is
    read attribute by attribute.
    """
    form = _FORMS.get(body[0])
    if form is None:
        return None
    try:
        length, one, source, two, destination, three, protocol, ported, port = form.original.unpack_from(
            body, _ORIGINAL_AT
        )
        four, answering, five, seen_as = form.reply.unpack_from(body, _ORIGINAL_AT + (length + 3 & ~3))
    except struct.error:  # it ends before that
        return ends_of(body[0], netfilter.values(body))
    if (one, two, three, four, five) != form.heads:
        return ends_of(body[0], netfilter.values(body))
    number = int.from_bytes(port, "big") if ported == _PORT_HEAD else 0
    return Ends(protocol, source, destination, number, seen_as, answering)


def ends_of(family: int, values: dict[int, bytes]) -> Ends | None:
    """The same from the attributes of a message; None where they are not of ``family``."""
    if family not in SOURCE:
        return None
    original = attributes(values.get(ORIGINAL, b""))
    protocol = attributes(original.get(_PROTOCOL, b""))
    here = attributes(original.get(_ADDRESSES, b""))
    there = attributes(attributes(values.get(_REPLY, b"")).get(_ADDRESSES, b""))
    source, destination = here.get(SOURCE[family], b""), here.get(DESTINATION[family], b"")
    if not len(source) == len(destination) == _SIZES[family]:
        return None
    number, port = _number(protocol, _NUMBER), _number(protocol, _DESTINATION_PORT)
    seen_as, answering = there.get(DESTINATION[family], source), there.get(SOURCE[family], destination)
    return Ends(number, source, destination, port, seen_as, answering)


def is_probe(values: dict[int, bytes]) -> bool:
    """Whether a connection is one of our own probes."""
    return bool(_number(values, MARK) & PROBE_MARK)


def _state(protocol: int, values: dict[int, bytes]) -> str:
    if protocol == TCP:
        state = _number(attributes(attributes(values.get(_PROTOCOL_STATE, b"")).get(_TCP, b"")), _TCP_STATE)
        return TCP_STATES[state] if state < len(TCP_STATES) else str(state)
    return "replied" if _number(values, _STATUS) & _SEEN_REPLY else "unreplied"


def _number(values: dict[int, bytes], kind: int) -> int:
    return int.from_bytes(values.get(kind, b""), "big")
