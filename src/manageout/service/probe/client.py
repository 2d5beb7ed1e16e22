"""Ask a client on the gateway's link what it would answer a manager: a SYN or a ping in the manager's name.

Rules of a client's firewall go by the caller's address, so that the gateway's own attempts would prove nothing. The
packets leave by the clients' link alone; answers are read as they come in there, and go on to the manager, who
refuses what it has not begun. A port that opens is closed again at once. They carry a mark, so that nobody takes
them for the manager's calls.
"""

import contextlib
import os
import struct
import time
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import NamedTuple, TypeVar

from manageout.errors import WireError
from manageout.linux.netlink.conntrack import PROBE_MARK
from manageout.linux.packets import raw
from manageout.linux.packets.raw import Incoming
from manageout.service.probe import rounds
from manageout.service.probe.results import Echo, TcpAnswer
from manageout.wire import icmpv6, ipv6, numbers, tcp
from manageout.words import toml_of

T = TypeVar("T")
WAIT = 1.5
_PORTS = (49152, 65535)
_MSS = b"\x02\x04\x04\xc4"  # 1220: what fits into the link's 1280 bytes

# Ports and flags; the checksum of what our own clients send is often left for the last machine to compute.
_TCP = struct.Struct("!HH9xB")


class AsManager(NamedTuple):
    """A manager's address, a client's, and the device of the clients' link."""

    source: IPv6Address
    target: IPv6Address
    device: str


def echo(link: AsManager, wait: float = WAIT) -> Echo:
    """Ping the client as the manager. Raises :class:`NotPermitted`."""
    ident = os.urandom(4)
    source, target = link.source.packed, link.target.packed
    message = icmpv6.build(source, target, icmpv6.ECHO_REQUEST, 0, ident)
    begin = time.monotonic()

    def answers(header: ipv6.Ipv6, body: bytes) -> Echo | None:
        if header.next_header != numbers.ICMPV6:
            return None
        found = icmpv6.parse(header.src, header.dst, body)
        if header.src == target and found.type == icmpv6.ECHO_REPLY and found.body.startswith(ident):
            return Echo(str(link.target), time.monotonic() - begin)
        if _is_about(found, message[:8]):
            return Echo(str(link.target), None, str(IPv6Address(header.src)), _words(found))
        return None

    packet = ipv6.build(source, target, numbers.ICMPV6, message)
    return _exchange(link, packet, answers, wait) or Echo(
        str(link.target), None, "", f"no answer in {wait:g} s"
    )


def open_tcp(link: AsManager, port: int, wait: float = WAIT) -> TcpAnswer:
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
        if header.next_header == numbers.ICMPV6:
            found = icmpv6.parse(header.src, header.dst, body)
            if not _is_about(found, segment[:8]):
                return None
            by = str(IPv6Address(header.src))
            return TcpAnswer(str(link.target), port, "prohibited", seconds, by, _words(found))
        if header.next_header != numbers.TCP or header.src != target:
            return None
        sender, receiver, flags = _TCP.unpack_from(body.ljust(_TCP.size))
        if (sender, receiver) != (port, own):
            return None
        if flags & tcp.RST:
            return TcpAnswer(str(link.target), port, "refused", seconds, "", "Connection refused")
        if flags & tcp.SYN:
            reset = first._replace(sequence=number + 1 & 0xFFFFFFFF, flags=tcp.RST, options=b"")
            _send(link, ipv6.build(source, target, numbers.TCP, tcp.build(source, target, reset)))
            return TcpAnswer(str(link.target), port, "open", seconds)
        return None

    found = _exchange(link, ipv6.build(source, target, numbers.TCP, segment), answers, wait)
    return found or TcpAnswer(str(link.target), port, "silent", wait, "", f"no answer in {wait:g} s")


def _is_about(found: icmpv6.Icmpv6, beginning: bytes) -> bool:
    """An error that quotes our packet, whose payload begins so; behind 4 bytes and the quoted header."""
    return found.is_error and found.body[44:52] == beginning


def _words(found: icmpv6.Icmpv6) -> str:
    if found.type != icmpv6.DESTINATION_UNREACHABLE:
        return f"ICMPv6 type {found.type}"
    words = toml_of("manageout.service.probe", "words.toml")["icmpv6"]
    return str(words.get(str(found.code), f"unreachable, code {found.code}"))


def _exchange(
    link: AsManager, packet: bytes, answers: Callable[[ipv6.Ipv6, bytes], T | None], wait: float
) -> T | None:
    """Send ``packet`` again and again, until an incoming packet is an answer."""
    found: T | None = None

    def take() -> bool:
        nonlocal found
        with contextlib.suppress(WireError):
            header, body = ipv6.parse(incoming.read())
            found = answers(header, body) if header.dst == link.source.packed else None
        return found is not None

    with contextlib.closing(Incoming(link.device)) as incoming:
        rounds.ask(lambda: _send(link, packet), [incoming], take, wait)
    return found


def _send(link: AsManager, packet: bytes) -> None:
    raw.send_marked(packet, str(link.target), link.device, PROBE_MARK)
