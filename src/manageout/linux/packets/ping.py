"""Echo requests of chosen sizes to one machine, with DF (icmp(7)): raw sockets, else those of a group that may ping."""

import contextlib
import errno
import os
import select
import socket
import struct
import time
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Self

from manageout.errors import KernelError, NotPermitted
from manageout.linux.packets import error_queue
from manageout.linux.packets.error_queue import SocketError
from manageout.wire.checksum import checksum

Address = IPv4Address | IPv6Address
HEADERS = {4: 20 + 8, 6: 40 + 8}
"""Bytes of the smallest echo, by version."""
_REQUEST, _REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
_MTU_DISCOVER = {4: (socket.IPPROTO_IP, 10), 6: (socket.IPPROTO_IPV6, 23)}
_PROBE = 3  # IP_PMTUDISC_PROBE: DF, and no heed to what the kernel believes of the path
PROHIBITED = "prohibited (a packet filter refuses)"
_PROHIBITED = {4: {(3, 3), (3, 9), (3, 10), (3, 13)}, 6: {(1, 1), (1, 4), (1, 5), (1, 6)}}
"""(type, code) that packet filters send; a port that nobody serves answers a SYN by RST."""
_TOO_BIG = {4: (3, 4), 6: (2, 0)}


def is_prohibition(one: SocketError, version: int) -> bool:
    """Whether a packet filter has said so."""
    return (one.type, one.code) in _PROHIBITED[version]


def is_too_big(one: SocketError, version: int) -> bool:
    """Whether it names an MTU."""
    return one.mtu > 0 and (one.number == errno.EMSGSIZE or (one.type, one.code) == _TOO_BIG[version])


class Pinger:
    """A socket for them, a context manager. ``said``: the ICMP errors that came back.

    Raises :class:`NotPermitted`, and :class:`KernelError` for a ``source`` that is not ours.
    """

    def __init__(self, target: Address, source: Address | None) -> None:
        self._target, self._version = target, target.version
        self._raw, self._sock = _open(target)
        self._id = struct.unpack("!H", os.urandom(2))[0]
        self._next = 0
        self.said: list[SocketError] = []
        self.unsent = ""
        try:
            error_queue.enable(self._sock)
            self._sock.setsockopt(*_MTU_DISCOVER[self._version], _PROBE)
            if source is not None:
                self._sock.bind((str(source), 0))
        except OSError as error:
            self._sock.close()
            raise KernelError(f"ping from {source}: {error.strerror}", "give an address of ours") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def answered(self, sizes: Iterable[int], wait: float) -> set[int]:
        """Which of ``sizes`` (of the whole packet, bytes) are answered; each is sent twice within ``wait``."""
        wanted, sent = set(sizes), {}
        found: set[int] = set()
        for _ in range(2):
            for size in sorted(wanted - found):
                if (number := self._send(size)) is not None:
                    sent[number] = size
            until = time.monotonic() + wait / 2
            while found != wanted and (left := until - time.monotonic()) > 0:
                if not sent or not select.select([self._sock], [], [], left)[0]:
                    break
                found |= {sent[number] for number in self._receive() if number in sent}
            if found == wanted:
                break
        return found

    def complaint(self, otherwise: str) -> tuple[str, str]:
        """Who said what about our packets."""
        for one in self.said:
            if is_too_big(one, self._version):
                continue  # about larger packets of somebody else: raw sockets hear of all errors
            return one.by, (PROHIBITED if is_prohibition(one, self._version) else os.strerror(one.number))
        return ("this machine", self.unsent) if self.unsent else ("", otherwise)

    def _send(self, size: int) -> int | None:
        self._next = self._next + 1 & 0xFFFF
        body = bytes(max(size - HEADERS[self._version], 0))
        packet = struct.pack("!BBHHH", _REQUEST[self._version], 0, 0, self._id, self._next) + body
        if self._version == 4:
            packet = packet[:2] + checksum(packet).to_bytes(2, "big") + packet[4:]
        try:
            self._sock.sendto(packet, (str(self._target), 0))
        except OSError as error:
            self.said += error_queue.take(self._sock)
            self.unsent = os.strerror(error.errno or 0)
            return None
        return self._next

    def _receive(self) -> list[int]:
        """Numbers of our echoes that came back."""
        self.said += error_queue.take(self._sock)
        found = []
        with contextlib.suppress(OSError):
            while True:
                data, (sender, *_) = self._sock.recvfrom(65535)
                if self._version == 4 and self._raw:
                    data = data[(data[0] & 15) * 4 :]
                if len(data) < 8 or sender.partition("%")[0] != str(self._target):
                    continue
                kind, _, _, ident, number = struct.unpack_from("!BBHHH", data)
                # The kernel gives an unprivileged socket an identifier of its own, and only its echoes.
                if kind == _REPLY[self._version] and (not self._raw or ident == self._id):
                    found.append(number)
        return found


def _open(target: Address) -> tuple[bool, socket.socket]:
    """A raw socket, else one for unprivileged pings."""
    family, protocol = (socket.AF_INET, 1) if target.version == 4 else (socket.AF_INET6, 58)
    for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM):
        with contextlib.suppress(PermissionError):
            return kind == socket.SOCK_RAW, socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
    raise NotPermitted("not permitted to ping", "run as root, or see net.ipv4.ping_group_range")
