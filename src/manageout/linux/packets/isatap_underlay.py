"""The underlay of ISATAP: raw IPv4 sockets for protocol 41 and for the ICMP errors about it.

Whole IPv4 packets go in and out. What arrives here was not taken by the fast path; the kernel has reassembled
it and checked its header.
"""

import contextlib
import errno
import socket
import struct
from collections.abc import Iterable

from manageout.errors import KernelError
from manageout.linux.packets import raw
from manageout.linux.packets.mmsg import ReceiveBatch, SendBatch
from manageout.wire.numbers import PROTOCOL_41

BATCH = 64
_LARGEST = 65535
_BUFFER = 16 << 20

_SO_SNDBUFFORCE, _SO_RCVBUFFORCE, _SO_BINDTOIFINDEX = 32, 33, 62
_IP_MTU_DISCOVER, _IP_PMTUDISC_DONT, _IP_PKTINFO = 10, 0, 8
_SOL_RAW, _ICMP_FILTER = 255, 1
# Destination Unreachable, Time Exceeded, Parameter Problem: the types that report a packet of ours.
_ICMP_ERRORS = 1 << 3 | 1 << 11 | 1 << 12
# What sending may meet although nothing is wrong with us: no route just now, a full queue, a firewall.
_PASSING = frozenset(
    {
        errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.EPERM, errno.EACCES, errno.ENETUNREACH, errno.EHOSTUNREACH,
        errno.ENETDOWN, errno.EHOSTDOWN, errno.EINVAL, errno.ECONNREFUSED, errno.EADDRNOTAVAIL, errno.ENODEV,
    }
)  # fmt: skip


class IsatapUnderlay:
    """Sends and receives protocol 41. Both descriptors are non-blocking.

    Raises :class:`NotPermitted` without CAP_NET_RAW, :class:`KernelError` when the kernel has no such sockets.
    """

    def __init__(self) -> None:
        self._data = raw.opened(socket.AF_INET, PROTOCOL_41)
        try:
            self._icmp = raw.opened(socket.AF_INET, socket.IPPROTO_ICMP)
        except BaseException:
            self._data.close()
            raise
        for option in (_SO_RCVBUFFORCE, _SO_SNDBUFFORCE):
            with contextlib.suppress(OSError):  # without CAP_NET_ADMIN the default size stays
                self._data.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        self._data.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
        # RFC 4213 3.2.1: the static scheme must not set DF.
        self._data.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DONT)
        self._icmp.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", ~_ICMP_ERRORS & 0xFFFFFFFF))
        self._buffer = bytearray(_LARGEST)
        self._view = memoryview(self._buffer)
        self.refused = 0
        """Packets that the kernel would not send."""

    def bind(self, vrf: int) -> None:
        """Send by the routes of this VRF, an interface index, and hear what arrives in it; 0: of the main table."""
        for sock in (self._data, self._icmp):
            with contextlib.suppress(OSError):  # it has just gone
                sock.setsockopt(socket.SOL_SOCKET, _SO_BINDTOIFINDEX, vrf)

    def filenos(self) -> tuple[int, int]:
        """For ``loop.add_reader``: data, ICMP errors."""
        return self._data.fileno(), self._icmp.fileno()

    def inbox(self, size: int) -> ReceiveBatch:
        """For packets of protocol 41, most of them of ``size`` bytes or fewer: many a system call."""
        return ReceiveBatch(self._data, size, BATCH)

    def outbox(self, block: memoryview, size: int) -> SendBatch:
        """For packets of ``size`` bytes that lie one behind the other in ``block``: many a system call."""
        return SendBatch(self._data, block, size)

    def receive(self, limit: int = BATCH) -> list[bytes]:
        """Up to ``limit`` waiting packets of protocol 41."""
        return self._receive(self._data, limit)

    def receive_errors(self, limit: int = BATCH) -> list[bytes]:
        """Up to ``limit`` waiting ICMP errors, whatever they are about."""
        return self._receive(self._icmp, limit)

    def _receive(self, sock: socket.socket, limit: int) -> list[bytes]:
        packets: list[bytes] = []
        take, buffer, view = sock.recv_into, self._buffer, self._view
        with contextlib.suppress(BlockingIOError):
            while len(packets) < limit:
                packets.append(bytes(view[: take(buffer)]))
        return packets

    def send(self, packets: Iterable[bytes]) -> None:
        """Send IPv4 packets as they are (the kernel sees to fragmentation where the first link needs it)."""
        sendto, inet_ntoa = self._data.sendto, socket.inet_ntoa
        for packet in packets:
            try:
                sendto(packet, (inet_ntoa(packet[16:20]), 0))
            except OSError as error:
                if error.errno == errno.EMSGSIZE:
                    self._send_in_fragments(packet)
                elif error.errno in _PASSING:
                    self.refused += 1
                else:
                    raise KernelError(f"raw socket: {error.strerror}", "see `dmesg`") from None

    def _send_in_fragments(self, packet: bytes) -> None:
        """The kernel fragments only packets whose header it writes itself."""
        source = struct.pack("=i4s4s", 0, packet[12:16], bytes(4))
        marks = [
            (socket.IPPROTO_IP, _IP_PKTINFO, source),
            (socket.IPPROTO_IP, socket.IP_TOS, struct.pack("=i", packet[1])),
            (socket.IPPROTO_IP, socket.IP_TTL, struct.pack("=i", packet[8])),
        ]
        self._data.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 0)
        try:
            self._data.sendmsg([packet[20:]], marks, 0, (socket.inet_ntoa(packet[16:20]), 0))
        except OSError:
            self.refused += 1
        finally:
            self._data.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)

    def close(self) -> None:
        """Give both sockets back."""
        self._data.close()
        self._icmp.close()
