"""The kernel's neighbour entries (ARP and Neighbour Discovery), and the proxy entries of ours among them.

A proxy entry has the kernel answer ARP for an address that this machine serves but does not hold (ip-neighbour(8)).
Ours carry the protocol number :data:`~manageout.linux.netlink.links.PROTO`, so that those of a killed process are found
and removed. The kernel answers for them only with forwarding on; ``proxy_arp`` stays off, for that would answer for
every address that we have a route to.
"""

import contextlib
import errno
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from manageout.errors import KernelError, ManageoutError
from manageout.linux.netlink import messages as rtnetlink
from manageout.linux.netlink.links import PROTO
from manageout.linux.netlink.messages import attribute, attributes

_NDMSG = struct.Struct("=BxxxiHBB")
_NDA_DST, _NDA_LLADDR, _NDA_PROTOCOL = 1, 2, 12
_PROBE, _REPLACE = 0x10, 0x100
_PERMANENT, _PROXY = 0x80, 0x08
_STATES = {
    0x01: "incomplete", 0x02: "reachable", 0x04: "stale", 0x08: "delay", 0x10: "probe", 0x20: "failed",
    0x40: "noarp", 0x80: "permanent",
}  # fmt: skip


class NeighbourEntry(NamedTuple):
    """One neighbour. ``state`` as `ip neigh` calls it, in lower case."""

    address: IPv4Address | IPv6Address
    dev: str
    state: str
    hardware: str


def entries() -> list[NeighbourEntry]:
    """Every entry of this network namespace. Reading needs no privilege."""
    names = dict(socket.if_nameindex())
    found = []
    with rtnetlink.Socket() as netlink:
        for family, index, state, values in _read(netlink, 0, 0, "list neighbours"):
            if family in (socket.AF_INET, socket.AF_INET6) and index in names:
                address, hardware = ip_address(values[_NDA_DST]), values.get(_NDA_LLADDR, b"").hex(":")
                found.append(NeighbourEntry(address, names[index], _STATES.get(state, "none"), hardware))
    return found


def verify(entry: NeighbourEntry) -> None:
    """Have the kernel ask the neighbour now whether it is still there, as it would before long; three seconds at most.

    Without CAP_NET_ADMIN, and for an entry that has gone meanwhile, nothing happens.
    """
    family = socket.AF_INET if entry.address.version == 4 else socket.AF_INET6
    with contextlib.suppress(ManageoutError, OSError), rtnetlink.Socket() as netlink:
        body = _NDMSG.pack(family, socket.if_nametoindex(entry.dev), _PROBE, 0, 0)
        body += attribute(_NDA_DST, entry.address.packed)
        netlink.request(rtnetlink.NEWNEIGH, body, f"verify {entry.address}", _REPLACE)


class ProxyArp(rtnetlink.Socket):
    """Proxy entries of one device.

    Every method raises :class:`KernelError`, or :class:`NotPermitted` without CAP_NET_ADMIN. Adding what is there and
    removing what is not there succeed.
    """

    def __init__(self, dev: str) -> None:
        super().__init__()
        self.dev = dev

    def add(self, v4: bytes) -> None:
        """Answer for ``v4`` from now on."""
        try:
            index = socket.if_nametoindex(self.dev)
        except OSError:
            raise KernelError(f"no network device {self.dev}", "see `ip link`") from None
        what = f"answer ARP for {socket.inet_ntoa(v4)} on {self.dev}"
        self.request(rtnetlink.NEWNEIGH, _proxy_entry(index, v4), what, rtnetlink.CREATE_OR_REPLACE)

    def remove(self, v4: bytes) -> None:
        """Answer no more for ``v4``."""
        with contextlib.suppress(OSError):  # the device has gone, and its entries with it
            _remove(self, socket.if_nametoindex(self.dev), v4)


def proxied() -> list[tuple[str, bytes]]:
    """Our own proxy entries on all devices: (device, IPv4 address)."""
    with rtnetlink.Socket() as netlink:
        names = dict(socket.if_nameindex())
        return [(names.get(index, ""), v4) for index, v4 in _ours(netlink)]


def remove_proxies() -> int:
    """Remove every proxy entry of ours, of this process or of a killed one; how many there were."""
    with rtnetlink.Socket() as netlink:
        ours = list(_ours(netlink))
        for index, v4 in ours:
            _remove(netlink, index, v4)
        return len(ours)


def _read(
    netlink: rtnetlink.Socket, family: int, flags: int, what: str
) -> Iterator[tuple[int, int, int, dict[int, bytes]]]:
    """(family, index of the device, state, attributes) of those with an address and these ``flags``."""
    for message in netlink.dump(rtnetlink.GETNEIGH, _NDMSG.pack(family, 0, 0, flags, 0), what):
        found, index, state, set_, _ = _NDMSG.unpack_from(message.body)
        values = attributes(message.body[_NDMSG.size :])
        if _NDA_DST in values and set_ & flags == flags:
            yield found, index, state, values


def _ours(netlink: rtnetlink.Socket) -> Iterator[tuple[int, bytes]]:
    for _, index, _, values in _read(netlink, socket.AF_INET, _PROXY, "list proxied addresses"):
        if values.get(_NDA_PROTOCOL) == bytes([PROTO]):
            yield index, values[_NDA_DST]


def _proxy_entry(index: int, v4: bytes) -> bytes:
    head = _NDMSG.pack(socket.AF_INET, index, _PERMANENT, _PROXY, 0)
    return head + attribute(_NDA_DST, v4) + attribute(_NDA_PROTOCOL, bytes([PROTO]))


def _remove(netlink: rtnetlink.Socket, index: int, v4: bytes) -> None:
    with rtnetlink.absent(errno.ENOENT, errno.ESRCH, errno.ENODEV):
        what = f"answer no more ARP for {socket.inet_ntoa(v4)}"
        netlink.request(rtnetlink.DELNEIGH, _proxy_entry(index, v4), what)
