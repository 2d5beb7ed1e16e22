"""Is a machine there, is a port open, how large may packets be, does the next hop answer: each by itself, bounded.

Echoes need a raw socket (root), or a group that may ping; the rest needs nothing.
"""

import contextlib
import errno
import os
import select
import socket
import time
from typing import Literal

from manageout.errors import KernelError, ManageoutError
from manageout.linux.netlink import neighbours
from manageout.linux.netlink.links import Netlink
from manageout.linux.packets import error_queue
from manageout.linux.packets.error_queue import SocketError
from manageout.linux.packets.ping import HEADERS, Address, Pinger, is_prohibition, is_too_big
from manageout.service.probe.results import Echo, NeighbourState, NextHop, PathMtu, TcpAnswer

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
    if any(is_prohibition(one, version) for one in said) or number == errno.EACCES:
        return "prohibited"
    if number == errno.ECONNREFUSED:
        return "refused"
    return "silent" if number == errno.ETIMEDOUT else "unreachable"


def echo(target: Address, wait: float = WAIT, source: Address | None = None) -> Echo:
    """Ping ``target``, twice if need be. Raises :class:`NotPermitted`."""
    with Pinger(target, source) as pinger:
        begin = time.monotonic()
        for _ in range(2):
            if pinger.answered([64], wait / 2):
                return Echo(str(target), time.monotonic() - begin)
        return Echo(str(target), None, *pinger.complaint(f"no answer in {wait:g} s"))


def path_mtu(target: Address, source: Address | None = None) -> PathMtu:
    """The largest packet that gets to ``target`` and back, to the byte; 4 s at most. Raises :class:`NotPermitted`."""
    first = min(_first_mtu(target), LARGEST)
    with Pinger(target, source) as pinger:
        usual = sorted({size for size in _USUAL if size < first} | {first, HEADERS[target.version]})
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
        told = {(one.by, one.mtu) for one in pinger.said if is_too_big(one, target.version)}
        return PathMtu(str(target), first, good, tuple(sorted(told)))


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
