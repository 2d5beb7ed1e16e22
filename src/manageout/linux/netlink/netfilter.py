"""nfnetlink: netlink for the packet filter and for connection tracking. Each message begins with struct nfgenmsg."""

import struct

from manageout.linux.netlink.messages import Socket, attributes

NETFILTER = 12
"""The protocol of AF_NETLINK (NETLINK_NETFILTER)."""
_GENERIC = struct.Struct("!BBH")


class NetfilterSocket(Socket):
    """A socket to netfilter."""

    def __init__(self, groups: int = 0) -> None:
        super().__init__(groups, NETFILTER)


def body(family: int = 0, *inside: bytes, resource: int = 0) -> bytes:
    """What follows the netlink header: family, ``resource``, attributes."""
    return _GENERIC.pack(family, 0, resource) + b"".join(inside)


def values(message: bytes) -> dict[int, bytes]:
    """The attributes of what follows the netlink header."""
    return attributes(message[_GENERIC.size :])
