"""ICMP errors about what a socket has sent: who said what (IP_RECVERR, ip(7) and ipv6(7))."""

import socket
import sys
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import NamedTuple

_RECVERR = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
"""IP_RECVERR and IPV6_RECVERR."""
_LOCAL = 1
_MAX_WAITING = 64
# struct sock_extended_err: errno, origin, type, code, padding, info (an MTU), data; the offender follows.
_EXTENDED = Struct("=IBBBxII")


class SocketError(NamedTuple):
    """``by``: the machine that sent it, or "this machine". ``mtu``: of a "too big", else 0."""

    number: int
    by: str
    type: int
    code: int
    mtu: int


def enable(sock: socket.socket) -> None:
    """Have the kernel queue errors about what ``sock`` sends."""
    sock.setsockopt(*_RECVERR[sock.family], 1)


def take(sock: socket.socket) -> list[SocketError]:
    """The errors that wait; never blocks."""
    found: list[SocketError] = []
    while len(found) < _MAX_WAITING:
        try:
            _, ancillary, _, _ = sock.recvmsg(1, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        except OSError:
            break
        for level, kind, data in ancillary:
            if (level, kind) in _RECVERR.values():
                found.append(_read(data))
    return found


def _read(data: bytes) -> SocketError:
    number, origin, kind, code, info, _ = _EXTENDED.unpack_from(data)
    return SocketError(number, _offender(data[_EXTENDED.size :], origin), kind, code, info)


def _offender(name: bytes, origin: int) -> str:
    family = int.from_bytes(name[:2], sys.byteorder) if len(name) >= 2 else 0
    if origin == _LOCAL:
        return "this machine"
    if family == socket.AF_INET and len(name) >= 8:
        return str(IPv4Address(name[4:8]))
    if family == socket.AF_INET6 and len(name) >= 24:
        return str(IPv6Address(name[8:24]))
    return "somebody"
