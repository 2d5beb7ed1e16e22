"""Tells when something of the kernel's network state changed that may concern us: links, addresses, forwarding, routes.

A machine beside a routing daemon hears of a thousand routes a second that are none of our business. A filter in the
kernel lets through only those that carry our protocol number, those that the kernel itself makes for an address, and
those that took the place of another one; of the latter two :meth:`KernelMonitor.drain` looks at the prefix. So a
stranger's routes wake nobody.
"""

import socket
import sys
from collections.abc import Collection

from manageout.linux.netlink import messages as rtnetlink
from manageout.linux.netlink.links import KERNEL, PROTO, Network

_ADDRESSES = rtnetlink.GROUP_LINK | rtnetlink.GROUP_IPV4_ADDRESS | rtnetlink.GROUP_IPV6_ADDRESS
_ROUTES = rtnetlink.GROUP_IPV4_ROUTE | rtnetlink.GROUP_IPV6_ROUTE
_NETCONF = rtnetlink.GROUP_IPV4_NETCONF | rtnetlink.GROUP_IPV6_NETCONF
_BUFFER = 1 << 20
_MOST = 4096
"""Messages looked at in one go; with more the answer is "look at everything"."""

# Where the low byte of nlmsg_type, the high byte of nlmsg_flags (NLM_F_REPLACE), and rtm_protocol are.
_TYPE, _FLAGS = (4, 7) if sys.byteorder == "little" else (5, 6)
_PROTOCOL = 16 + 5
_REPLACE = 0x1

_LOAD, _EQUAL, _SET, _RETURN = 0x30, 0x15, 0x45, 0x06
_PROGRAM = (
    (_LOAD, 0, 0, _TYPE),
    (_EQUAL, 1, 0, rtnetlink.NEWROUTE),
    (_EQUAL, 2, 5, rtnetlink.DELROUTE),
    (_LOAD, 0, 0, _FLAGS),
    (_SET, 3, 0, _REPLACE),
    (_LOAD, 0, 0, _PROTOCOL),
    (_EQUAL, 1, 0, PROTO),
    (_EQUAL, 0, 1, KERNEL),
    (_RETURN, 0, 0, 0xFFFFFFFF),
    (_RETURN, 0, 0, 0),
)


class AddressMonitor(rtnetlink.Socket):
    """Tells when an address or link of this machine changed: wait on ``fileno()``, then :meth:`drain`."""

    def __init__(self, routes: bool = False) -> None:
        """``routes``: and when a route did."""
        super().__init__(_ADDRESSES | _ROUTES if routes else _ADDRESSES)

    def drain(self) -> bool:
        """Empty the socket; True when there was anything. Read the addresses afterwards."""
        lost = self.lost
        return bool(self.notifications()) or self.lost != lost


class KernelMonitor(rtnetlink.Socket):
    """Wait on ``fileno()``, then :meth:`drain`."""

    def __init__(self) -> None:
        super().__init__(_ADDRESSES | _ROUTES | _NETCONF)
        self.option(socket.SO_RCVBUF, _BUFFER)
        self.narrow(_PROGRAM)

    def drain(self, prefixes: Collection[Network]) -> bool:
        """Empty the socket; whether there was something to look at. ``prefixes``: of our routes and links.

        When messages were lost, or there are more than one can look at, there is.
        """
        lost = self.lost
        messages = self.notifications(_MOST)
        if self.lost != lost or len(messages) >= _MOST:
            self._empty()
            return True
        watched = {(each.network_address.packed, each.prefixlen) for each in prefixes}
        return any(_concerns(message, watched) for message in messages)

    def _empty(self) -> None:
        for _ in range(64):  # each as much as the buffer holds: whoever fills it faster is met again
            if not self.notifications(_MOST):
                return


def _concerns(message: rtnetlink.Message, watched: Collection[tuple[bytes, int]]) -> bool:
    if message.type not in (rtnetlink.NEWROUTE, rtnetlink.DELROUTE):
        return True
    if message.body[5] == PROTO:
        return True
    length = message.body[1]
    return (rtnetlink.attributes(message.body[12:]).get(1, b""), length) in watched
