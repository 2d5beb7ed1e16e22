"""The kernel's neighbour entries (ARP and Neighbour Discovery), by rtnetlink. Reading needs no privilege."""

from __future__ import annotations

import contextlib
import socket
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from manageout.errors import ManageoutError
from manageout.linux.netlink import messages as rtnetlink
from manageout.linux.netlink.messages import attribute, attributes

_NDMSG = struct.Struct("=BxxxiHBB")
_NDA_DST, _NDA_LLADDR = 1, 2
_PROBE, _REPLACE = 0x10, 0x100
_STATES = {
    0x01: "incomplete", 0x02: "reachable", 0x04: "stale", 0x08: "delay", 0x10: "probe", 0x20: "failed",
    0x40: "noarp", 0x80: "permanent",
}  # fmt: skip


class Entry(NamedTuple):
    """One neighbour. ``state`` as `ip neigh` calls it, in lower case."""

    address: IPv4Address | IPv6Address
    dev: str
    state: str
    hardware: str


def entries() -> list[Entry]:
    """Every entry of this network namespace."""
    netlink = rtnetlink.Socket()
    try:
        messages = netlink.dump(rtnetlink.GETNEIGH, _NDMSG.pack(0, 0, 0, 0, 0), "list neighbours")
    finally:
        netlink.close()
    found = []
    for message in messages:
        family, index, state, _, _ = _NDMSG.unpack_from(message.body)
        values = attributes(message.body[_NDMSG.size :])
        if family in (socket.AF_INET, socket.AF_INET6) and _NDA_DST in values:
            with contextlib.suppress(OSError):  # the device is gone meanwhile
                dev = socket.if_indextoname(index)
                hardware = values.get(_NDA_LLADDR, b"").hex(":")
                found.append(Entry(ip_address(values[_NDA_DST]), dev, _STATES.get(state, "none"), hardware))
    return found


def verify(entry: Entry) -> None:
    """Have the kernel ask the neighbour now whether it is still there, as it would before long; three seconds at most.

    Without CAP_NET_ADMIN, and for an entry that has gone meanwhile, nothing happens.
    """
    family = socket.AF_INET if entry.address.version == 4 else socket.AF_INET6
    netlink = rtnetlink.Socket()
    try:
        with contextlib.suppress(ManageoutError, OSError):
            body = _NDMSG.pack(family, socket.if_nametoindex(entry.dev), _PROBE, 0, 0)
            body += attribute(_NDA_DST, entry.address.packed)
            netlink.request(rtnetlink.NEWNEIGH, body, f"verify {entry.address}", _REPLACE)
    finally:
        netlink.close()
