"""Answering ARP for addresses that this machine serves but does not hold: one proxy entry an address (ip-neighbour(8)).

Our entries carry the protocol number :data:`~manageout.linux.netlink.links.PROTO`, so that those of a killed process
are found and removed. The kernel answers for them only with forwarding on; ``proxy_arp`` stays off, for that would
answer for every address that we have a route to.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from manageout.errors import KernelError
from manageout.linux.netlink import messages as rtnetlink
from manageout.linux.netlink.links import PROTO
from manageout.linux.netlink.messages import attribute, attributes

_NDMSG = struct.Struct("=BxxxiHBB")
_PERMANENT, _PROXY = 0x80, 0x08
_NDA_DST, _NDA_PROTOCOL = 1, 12
_ETH_ARP, _ETH_IPV4 = 0x0806, 0x0800
_BROADCAST = b"\xff" * 6
_REQUEST = 1


class ProxyArp:
    """Proxy entries of one device. A context manager.

    Every method raises :class:`KernelError`, or :class:`NotPermitted` without CAP_NET_ADMIN. Adding what is there and
    removing what is not there succeed.
    """

    def __init__(self, dev: str) -> None:
        self.dev = dev
        self._socket = rtnetlink.Socket()
        self._arp = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the sockets back; the entries stay."""
        self._socket.close()
        self._arp.close()

    def add(self, v4: bytes) -> None:
        """Answer for ``v4`` from now on."""
        what = f"answer ARP for {socket.inet_ntoa(v4)} on {self.dev}"
        self._socket.request(rtnetlink.NEWNEIGH, self._entry(v4), what, rtnetlink.CREATE_OR_REPLACE)

    def remove(self, v4: bytes) -> None:
        """Answer no more for ``v4``."""
        if self._index() is not None:
            _remove(self._socket, self._entry(v4), v4)

    def announce(self, v4: bytes) -> None:
        """Say on the link that ``v4`` is to be found here (a gratuitous request, RFC 5227 2.3).

        What cannot be sent is not: hosts ask anyway.
        """
        with contextlib.suppress(OSError):
            hardware = self._hardware()
            packet = struct.pack("!HHBBH", 1, _ETH_IPV4, 6, 4, _REQUEST)
            packet += hardware + v4 + bytes(6) + v4
            self._arp.sendto(packet, (self.dev, _ETH_ARP, 0, 0, _BROADCAST))

    def _hardware(self) -> bytes:
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as probe:
            probe.bind((self.dev, 0))
            name: tuple[str, int, int, int, bytes] = probe.getsockname()
        if len(name[4]) != 6:
            raise OSError(errno.EOPNOTSUPP, "no Ethernet")
        return name[4]

    def _index(self) -> int | None:
        try:
            return socket.if_nametoindex(self.dev)
        except OSError:
            return None

    def _entry(self, v4: bytes) -> bytes:
        index = self._index()
        if index is None:
            raise KernelError(f"no network device {self.dev}", "see `ip link`")
        return _entry(index, v4)


def proxied() -> list[tuple[str, bytes]]:
    """Our own entries on all devices: (device, IPv4 address)."""
    with _netlink() as netlink:
        names = dict(socket.if_nameindex())
        return [(names.get(index, ""), v4) for index, v4 in _ours(netlink)]


def remove_all() -> int:
    """Remove every entry of ours, of this process or of a killed one; how many there were."""
    with _netlink() as netlink:
        ours = list(_ours(netlink))
        for index, v4 in ours:
            _remove(netlink, _entry(index, v4), v4)
        return len(ours)


@contextlib.contextmanager
def _netlink() -> Iterator[rtnetlink.Socket]:
    opened = rtnetlink.Socket()
    try:
        yield opened
    finally:
        opened.close()


def _ours(netlink: rtnetlink.Socket) -> Iterator[tuple[int, bytes]]:
    body = _NDMSG.pack(socket.AF_INET, 0, 0, _PROXY, 0)
    for message in netlink.dump(rtnetlink.GETNEIGH, body, "list proxied addresses"):
        _, index, _, flags, _ = _NDMSG.unpack_from(message.body)
        values = attributes(message.body[_NDMSG.size :])
        if flags & _PROXY and values.get(_NDA_PROTOCOL) == bytes([PROTO]):
            yield index, values[_NDA_DST]


def _entry(index: int, v4: bytes) -> bytes:
    head = _NDMSG.pack(socket.AF_INET, index, _PERMANENT, _PROXY, 0)
    return head + attribute(_NDA_DST, v4) + attribute(_NDA_PROTOCOL, bytes([PROTO]))


def _remove(netlink: rtnetlink.Socket, entry: bytes, v4: bytes) -> None:
    try:
        netlink.request(rtnetlink.DELNEIGH, entry, f"answer no more ARP for {socket.inet_ntoa(v4)}")
    except rtnetlink.Refused as error:
        if error.number not in (errno.ENOENT, errno.ESRCH, errno.ENODEV):
            raise
