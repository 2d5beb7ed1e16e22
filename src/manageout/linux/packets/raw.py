"""Packets sent as they are, source and all, and packets of one kind read as they come in (raw(7), packet(7))."""

import contextlib
import socket

from manageout.errors import KernelError, NotPermitted

IPV6 = 0x86DD
"""The kind of packets (ETH_P_IPV6)."""
_OUTGOING = 4


def opened(family: socket.AddressFamily, protocol: int = socket.IPPROTO_RAW) -> socket.socket:
    """A raw socket; that of IPPROTO_RAW sends whole packets. Raises :class:`NotPermitted`, :class:`KernelError`."""
    try:
        return socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
    except PermissionError:
        hint = "run as root, or grant CAP_NET_RAW"
        raise NotPermitted("not permitted to open a raw socket", hint) from None
    except OSError as error:
        hint = "a Linux kernel with IPv4 and IPv6 is needed"
        raise KernelError(f"raw sockets: {error.strerror}", hint) from None


def send_marked(packet: bytes, target: str, device: str, mark: int) -> None:
    """Send an IPv6 packet by ``device``; it counts as sent by this machine, so no policy is asked.

    Without a route just now nobody gets it. Raises :class:`NotPermitted`, :class:`KernelError`.
    """
    with opened(socket.AF_INET6) as raw, contextlib.suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        raw.sendto(packet, (target, 0))


class Incoming:
    """Copies of the packets of one ``kind`` that come in on ``device``, without their link layer's header."""

    def __init__(self, device: str, kind: int = IPV6) -> None:
        """Raises :class:`NotPermitted`, :class:`KernelError`."""
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(kind))
        except PermissionError:
            raise NotPermitted("not permitted to listen on the clients' link", "run as root") from None
        try:
            self._socket.bind((device, kind))
        except OSError as error:
            self._socket.close()
            raise KernelError(f"{device}: {error.strerror}", "is the daemon running?") from None

    def fileno(self) -> int:
        """For ``select``."""
        return self._socket.fileno()

    def read(self) -> bytes:
        """The next packet; empty for one that goes out."""
        data, (_, _, direction, *_) = self._socket.recvfrom(65535)
        return b"" if direction == _OUTGOING else data

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()
