"""Ask a client on the gateway's link what it would answer a manager: a SYN or a ping in the manager's name.

Rules of a client's firewall go by the caller's address, so that the gateway's own attempts would prove nothing. The
packets leave by the clients' link alone; answers are read as they come in there, and go on to the manager, who
refuses what it has not begun. A port that opens is closed again at once. They carry a mark, so that nobody takes
them for the manager's calls.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import NamedTuple, TypeVar

from manageout.errors import KernelError, NotPermitted, WireError
from manageout.linux.netlink.conntrack import PROBE_MARK
from manageout.service.probe.results import Echo, TcpAnswer
from manageout.wire import icmpv6, ipv6, tcp

T = TypeVar("T")
WAIT = 1.5
TRIES = 3
_IPV6 = 0x86DD
_OUTGOING = 4
_PORTS = (49152, 65535)
_MSS = b"\x02\x04\x04\xc4"  # 1220: what fits into the link's 1280 bytes

# Ports and flags; the checksum of what our own clients send is often left for the last machine to compute.
_TCP = struct.Struct("!HH9xB")
_UNREACHABLE = {
    icmpv6.NO_ROUTE: "no route",
    icmpv6.PROHIBITED: "prohibited (a packet filter refuses)",
    icmpv6.ADDRESS_UNREACHABLE: "address unreachable",
    icmpv6.PORT_UNREACHABLE: "port unreachable (a packet filter refuses)",
}


class Link(NamedTuple):
    """A manager's address, a client's, and the device of the clients' link."""

    source: IPv6Address
    target: IPv6Address
    device: str


def echo(link: Link, wait: float = WAIT) -> Echo:
    """Ping the client as the manager. Raises :class:`NotPermitted`."""
    ident = os.urandom(4)
    source, target = link.source.packed, link.target.packed
    message = icmpv6.build(source, target, icmpv6.ECHO_REQUEST, 0, ident)
    begin = time.monotonic()

    def answers(header: ipv6.Ipv6, body: bytes) -> Echo | None:
        if header.next_header != ipv6.ICMPV6:
            return None
        found = icmpv6.parse(header.src, header.dst, body)
        if header.src == target and found.type == icmpv6.ECHO_REPLY and found.body.startswith(ident):
            return Echo(str(link.target), time.monotonic() - begin)
        if _is_about(found, message[:8]):
            return Echo(str(link.target), None, str(IPv6Address(header.src)), _words(found))
        return None

    packet = ipv6.build(source, target, ipv6.ICMPV6, message)
    return _exchange(link, packet, answers, wait) or Echo(
        str(link.target), None, "", f"no answer in {wait:g} s"
    )


def open_tcp(link: Link, port: int, wait: float = WAIT) -> TcpAnswer:
    """Try to open a TCP port of the client as the manager. Raises :class:`NotPermitted`."""
    source, target = link.source.packed, link.target.packed
    low, high = _PORTS
    own = low + int.from_bytes(os.urandom(2), "big") % (high - low)
    number = int.from_bytes(os.urandom(4), "big")
    first = tcp.Tcp(own, port, number, 0, tcp.SYN, 64000, 0, _MSS)
    segment = tcp.build(source, target, first)
    begin = time.monotonic()

    def answers(header: ipv6.Ipv6, body: bytes) -> TcpAnswer | None:
        seconds = time.monotonic() - begin
        if header.next_header == ipv6.ICMPV6:
            found = icmpv6.parse(header.src, header.dst, body)
            if not _is_about(found, segment[:8]):
                return None
            by = str(IPv6Address(header.src))
            return TcpAnswer(str(link.target), port, "prohibited", seconds, by, _words(found))
        if header.next_header != tcp.TCP or header.src != target:
            return None
        sender, receiver, flags = _TCP.unpack_from(body.ljust(_TCP.size))
        if (sender, receiver) != (port, own):
            return None
        if flags & tcp.RST:
            return TcpAnswer(str(link.target), port, "refused", seconds, "", "Connection refused")
        if flags & tcp.SYN:
            _send(link, _tcp(link, first._replace(sequence=number + 1 & 0xFFFFFFFF, flags=tcp.RST)))
            return TcpAnswer(str(link.target), port, "open", seconds)
        return None

    found = _exchange(link, ipv6.build(source, target, tcp.TCP, segment), answers, wait)
    return found or TcpAnswer(str(link.target), port, "silent", wait, "", f"no answer in {wait:g} s")


def _tcp(link: Link, header: tcp.Tcp) -> bytes:
    source, target = link.source.packed, link.target.packed
    return ipv6.build(source, target, tcp.TCP, tcp.build(source, target, header._replace(options=b"")))


def _is_about(found: icmpv6.Icmpv6, beginning: bytes) -> bool:
    """An error that quotes our packet, whose payload begins so; behind 4 bytes and the quoted header."""
    return found.is_error and found.body[44:52] == beginning


def _words(found: icmpv6.Icmpv6) -> str:
    if found.type != icmpv6.DESTINATION_UNREACHABLE:
        return f"ICMPv6 type {found.type}"
    return _UNREACHABLE.get(found.code, f"unreachable, code {found.code}")


def _exchange(
    link: Link, packet: bytes, answers: Callable[[ipv6.Ipv6, bytes], T | None], wait: float
) -> T | None:
    """Send ``packet`` up to :data:`TRIES` times, until an incoming packet is an answer."""
    with contextlib.closing(_listen(link.device)) as sniffer:
        begin = time.monotonic()
        for attempt in range(TRIES):
            _send(link, packet)
            until = begin + wait * (attempt + 1) / TRIES
            while (left := until - time.monotonic()) > 0:
                if not select.select([sniffer], [], [], left)[0]:
                    break
                data, place = sniffer.recvfrom(65535)
                if place[2] == _OUTGOING:
                    continue
                with contextlib.suppress(WireError):
                    header, body = ipv6.parse(data)
                    if header.dst == link.source.packed and (found := answers(header, body)) is not None:
                        return found
    return None


def _listen(device: str) -> socket.socket:
    try:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_IPV6))
    except PermissionError:
        raise NotPermitted("not permitted to listen on the clients' link", "run as root") from None
    try:
        sock.bind((device, _IPV6))
    except OSError as error:
        sock.close()
        raise KernelError(f"{device}: {error.strerror}", "is the daemon running?") from None
    return sock


def _send(link: Link, packet: bytes) -> None:
    """As it is, source and all (ipv6(7), IPPROTO_RAW); it counts as sent by this machine, so no policy is asked."""
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.device.encode())
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, PROBE_MARK)
        with contextlib.suppress(OSError):  # no route just now: then nobody answers
            raw.sendto(packet, (str(link.target), 0))
