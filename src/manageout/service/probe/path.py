"""Is a machine there, is a port open, how large may packets be, does the next hop answer: each by itself, bounded.

Echoes need a raw socket (root), or a group that may ping; the rest needs nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import struct
import time
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from types import TracebackType
from typing import Literal, Self

from manageout.errors import KernelError, ManageoutError, NotPermitted
from manageout.linux.netlink import neighbours
from manageout.linux.netlink.links import Netlink
from manageout.linux.packets import error_queue
from manageout.linux.packets.error_queue import SocketError
from manageout.service.probe.results import Echo, NeighbourState, NextHop, PathMtu, TcpAnswer
from manageout.wire.checksum import checksum

Address = IPv4Address | IPv6Address

WAIT = 1.0
VERIFY = 3.5
"""Seconds for three unicast probes of a neighbour that was there (RFC 4861 10)."""
LARGEST = 9000
"""Bytes beyond which no path is looked at: loopback has 65536."""
_USUAL = (576, 1280, 1400, 1420, 1452, 1460, 1472, 1480, 1492, 1500)
_STEPS = 8
"""Sizes that are tried at a time between the largest answered and the smallest lost."""
_ROUND = 0.4
"""Seconds of such a round, of which there are four at most."""
_HEADERS = {4: 20 + 8, 6: 40 + 8}
_REQUEST, _REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
_MTU_DISCOVER = {4: (socket.IPPROTO_IP, 10), 6: (socket.IPPROTO_IPV6, 23)}
_PROBE = 3  # IP_PMTUDISC_PROBE: DF, and no heed to what the kernel believes of the path
PROHIBITED = "prohibited (a packet filter refuses)"
_PROHIBITED = {4: {(3, 3), (3, 9), (3, 10), (3, 13)}, 6: {(1, 1), (1, 4), (1, 5), (1, 6)}}
"""(type, code) that packet filters send; a port that nobody serves answers a SYN by RST."""
_TOO_BIG = {4: (3, 4), 6: (2, 0)}


def tcp(target: Address, port: int, wait: float = WAIT, source: Address | None = None) -> TcpAnswer:
    """Try to open a TCP connection, and close it at once."""
    family = socket.AF_INET if target.version == 4 else socket.AF_INET6
    begin = time.monotonic()
    with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
        error_queue.enable(sock)
        try:
            if source is not None:
                sock.bind((str(source), 0))
            number = sock.connect_ex((str(target), port))
        except OSError as error:
            number = error.errno or errno.EINVAL
        if number == errno.EINPROGRESS:
            if not select.select([], [sock], [], wait)[1]:
                return TcpAnswer(str(target), port, "silent", wait, "", f"no answer in {wait:g} s")
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        said = error_queue.take(sock)
    seconds = time.monotonic() - begin
    if not number:
        return TcpAnswer(str(target), port, "open", seconds)
    by = next((one.by for one in said), "")
    result = _refusal(number, said, target.version)
    return TcpAnswer(str(target), port, result, seconds, by, os.strerror(number))


def _refusal(
    number: int, said: list[SocketError], version: int
) -> Literal["refused", "prohibited", "unreachable", "silent"]:
    if any((one.type, one.code) in _PROHIBITED[version] for one in said) or number == errno.EACCES:
        return "prohibited"
    if number == errno.ECONNREFUSED:
        return "refused"
    return "silent" if number == errno.ETIMEDOUT else "unreachable"


def echo(target: Address, wait: float = WAIT, source: Address | None = None) -> Echo:
    """Ping ``target``, twice if need be. Raises :class:`NotPermitted`."""
    with _Pinger(target, source) as pinger:
        begin = time.monotonic()
        for _ in range(2):
            if pinger.answered([64], wait / 2):
                return Echo(str(target), time.monotonic() - begin)
        return Echo(str(target), None, *pinger.complaint(f"no answer in {wait:g} s"))


def path_mtu(target: Address, source: Address | None = None) -> PathMtu:
    """The largest packet that gets to ``target`` and back, to the byte; 4 s at most. Raises :class:`NotPermitted`."""
    first = min(_first_mtu(target), LARGEST)
    with _Pinger(target, source) as pinger:
        usual = sorted({size for size in _USUAL if size < first} | {first, _HEADERS[target.version]})
        good = max(pinger.answered(usual, WAIT) | pinger.answered(usual[:1], _ROUND), default=None)
        if good is None:
            by, error = pinger.complaint("no answer to a small packet either")
            return PathMtu(str(target), first, None, (), f"{by}: {error}" if by else error)
        bad = min((size for size in usual if size > good), default=first + 1)
        for _ in range(4):
            if bad - good <= 1:
                break
            step = max((bad - good) // (_STEPS + 1), 1)
            sizes = range(good + step, bad, step)
            good = max(pinger.answered(sizes, _ROUND), default=good)
            bad = min((size for size in sizes if size > good), default=bad)
        told = {(one.by, one.mtu) for one in pinger.said if _says_too_big(one, target.version)}
        return PathMtu(str(target), first, good, tuple(sorted(told)))


def _says_too_big(one: SocketError, version: int) -> bool:
    return one.mtu > 0 and (one.number == errno.EMSGSIZE or (one.type, one.code) == _TOO_BIG[version])


def _first_mtu(target: Address) -> int:
    with Netlink() as netlink:
        dev = netlink.route_get(target).dev
        link = netlink.link(dev)
    if link is None:
        raise KernelError(f"{dev} has gone while {target} was looked at", "try again; see `ip link`")
    return link.mtu


def next_hop(target: Address, wait: float = WAIT) -> NextHop:
    """Where a packet to ``target`` would go, and whether the neighbour there answers."""
    with Netlink() as netlink:
        try:
            hop = netlink.route_get(target)
        except ManageoutError as error:
            return NextHop(str(target), error=error.message)
    via = str(hop.via) if hop.via else ""
    found = NextHop(str(target), hop.dev, str(hop.src or ""), via)
    return found._replace(neighbour=neighbour(hop.via or target, hop.dev, wait))


def neighbour(address: Address, dev: str, wait: float = WAIT) -> NeighbourState:
    """The kernel's entry for ``address`` on ``dev``, after giving it a reason to look; ``wait`` is for a new entry.

    One that is merely remembered is verified first, which takes another three seconds when nobody is there.
    """
    _poke(address, dev)
    begin, verified = time.monotonic(), False
    patience = {"none": wait / 2, "incomplete": wait, "probe": VERIFY}
    while True:
        entry = _entry(address, dev)
        state = entry.state if entry else "none"
        if entry and state in ("stale", "delay") and not verified:
            neighbours.verify(entry)
            verified = True
        elif time.monotonic() - begin >= patience.get(state, 0.0):
            break
        time.sleep(0.02)
    return NeighbourState(str(address), dev, state, entry.hardware if entry else "")


def _entry(address: Address, dev: str) -> neighbours.NeighbourEntry | None:
    entries = neighbours.entries()
    return next((entry for entry in entries if entry.address == address and entry.dev == dev), None)


def _poke(address: Address, dev: str) -> None:
    """A packet to the discard port: what it says does not matter, but that the kernel must find the neighbour."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with (
        socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock,
        contextlib.suppress(OSError),
    ):
        place = (str(address), 9)
        scope = (0, socket.if_nametoindex(dev)) if address.version == 6 and address.is_link_local else ()
        sock.sendto(b"", (*place, *scope))


class _Pinger:
    """Echo requests of chosen sizes to one machine. ``said``: the ICMP errors that came back."""

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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
            if _says_too_big(one, self._version):
                continue  # about larger packets of somebody else: raw sockets hear of all errors
            prohibited = (one.type, one.code) in _PROHIBITED[self._version]
            return one.by, PROHIBITED if prohibited else os.strerror(one.number)
        return ("this machine", self.unsent) if self.unsent else ("", otherwise)

    def _send(self, size: int) -> int | None:
        self._next = self._next + 1 & 0xFFFF
        body = bytes(max(size - _HEADERS[self._version], 0))
        kind = _REQUEST[self._version]
        packet = struct.pack("!BBHHH", kind, 0, 0, self._id, self._next) + body
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
    four = target.version == 4
    family, protocol = (socket.AF_INET, 1) if four else (socket.AF_INET6, 58)
    for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM):
        with contextlib.suppress(PermissionError):
            return kind == socket.SOCK_RAW, socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
    raise NotPermitted("not permitted to ping", "run as root, or see net.ipv4.ping_group_range")
