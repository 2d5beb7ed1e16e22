"""The kernel's table of connections, read by ctnetlink: one row at a time, for there may be a million."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv6Network
from socket import AF_INET6
from typing import NamedTuple

from manageout.linux.netlink import messages as rtnetlink
from manageout.linux.netlink.messages import attributes
from manageout.linux.nft.sets import NETFILTER
from manageout.wire.address import bounds

ACCOUNTING = "net.netfilter.nf_conntrack_acct"
TIMESTAMPS = "net.netfilter.nf_conntrack_timestamp"
COUNT = "net.netfilter.nf_conntrack_count"
MAXIMUM = "net.netfilter.nf_conntrack_max"

PROBE_MARK = 0x20000000
"""Of packets and connections of our own that speak in a manager's name: they are nobody's calls."""

TCP = 6
_GET = 1 << 8 | 1
_GENERIC = struct.Struct("!BBH")
_ORIGINAL, _REPLY, _STATUS, _PROTOCOL_STATE = 1, 2, 3, 4
_MARK, _SENT, _RECEIVED, _TIMESTAMP = 8, 9, 10, 20
_ADDRESSES, _PROTOCOL = 1, 2
_SOURCE, _DESTINATION = 3, 4  # of IPv6
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_PACKETS, _BYTES = 1, 2
_START = 1
_TCP, _TCP_STATE = 1, 1
_SEEN_REPLY = 0x2

TCP_STATES = (
    "none",
    "syn-sent",
    "syn-received",
    "established",
    "fin-wait",
    "close-wait",
    "last-ack",
    "time-wait",
    "closed",
    "listen",
)


class Connection(NamedTuple):
    """One connection, as the one sees it who began it. Ports are 0 where the protocol has none."""

    protocol: int
    source: bytes
    source_port: int
    destination: bytes
    port: int
    seen_as: bytes
    """The source that the other end sees; it differs where addresses are rewritten."""
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


def connections(wanted: Callable[[bytes, bytes], bool]) -> Iterator[Connection]:
    """Connections in IPv6 for whose source and destination ``wanted`` is true. Needs CAP_NET_ADMIN.

    Raises :class:`KernelError`, :class:`NotPermitted`.
    """
    return (found for found in each_connection(wanted) if found is not None)


def each_connection(wanted: Callable[[bytes, bytes], bool]) -> Iterator[Connection | None]:
    """The same, with None for each that is not wanted: there may be many, and packets have to be served."""
    socket = rtnetlink.Socket(protocol=NETFILTER)
    try:
        for message in socket.each(_GET, _GENERIC.pack(AF_INET6, 0, 0), "read the connections"):
            yield connection(message.body, wanted)
    finally:
        socket.close()


def connection(body: bytes, wanted: Callable[[bytes, bytes], bool]) -> Connection | None:
    """What a message of ctnetlink says, if it is about IPv6, ``wanted``, and no probe of ours."""
    values = attributes(body[_GENERIC.size :])
    if _number(values, _MARK) & PROBE_MARK:
        return None
    original = attributes(values.get(_ORIGINAL, b""))
    addresses = attributes(original.get(_ADDRESSES, b""))
    source, destination = addresses.get(_SOURCE, b""), addresses.get(_DESTINATION, b"")
    if len(source) != 16 or len(destination) != 16 or not wanted(source, destination):
        return None
    protocol = attributes(original.get(_PROTOCOL, b""))
    number = _number(protocol, _NUMBER)
    reply = attributes(attributes(values.get(_REPLY, b"")).get(_ADDRESSES, b""))
    sent, received = attributes(values.get(_SENT, b"")), attributes(values.get(_RECEIVED, b""))
    start = _number(attributes(values.get(_TIMESTAMP, b"")), _START)
    return Connection(
        number,
        source,
        _number(protocol, _SOURCE_PORT),
        destination,
        _number(protocol, _DESTINATION_PORT),
        reply.get(_DESTINATION, source),
        _state(number, values),
        start / 1e9 if start else None,
        _number(sent, _PACKETS),
        _number(sent, _BYTES),
        _number(received, _PACKETS),
        _number(received, _BYTES),
    )


def _state(protocol: int, values: dict[int, bytes]) -> str:
    if protocol == TCP:
        inner = attributes(attributes(values.get(_PROTOCOL_STATE, b"")).get(_TCP, b""))
        state = _number(inner, _TCP_STATE)
        return TCP_STATES[state] if state < len(TCP_STATES) else str(state)
    return "replied" if _number(values, _STATUS) & _SEEN_REPLY else "unreplied"


def _number(values: dict[int, bytes], kind: int) -> int:
    return int.from_bytes(values.get(kind, b""), "big")
