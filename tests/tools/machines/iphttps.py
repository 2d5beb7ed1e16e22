"""A server machine with clients that speak raw packets, for transcripts: in, out, then time passes."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from typing import Any

from manageout.protocol.iphttps.server import IpHttpsServer
from manageout.protocol.iphttps.values import TUN, Close, Peer, ServerConfig, ServerEvent
from manageout.wire import ipv6, nd, numbers
from manageout.wire.iphttps import build_request
from tests.tools.machines.framer import PacketFramer
from tests.tools.packets import udp

PREFIX = IPv6Network("2001:db8:ff::/64")
GATEWAY_LL = IPv6Address("fe80::1").packed
GATEWAY = IPv6Address("2001:db8:ff::1").packed
BEYOND = IPv6Address("2001:db8:1::1").packed
CONFIG = ServerConfig(
    prefix=PREFIX,
    link_local=IPv6Address("fe80::1"),
    address=IPv6Address("2001:db8:ff::1"),
    routes=(IPv6Network("2001:db8:1::/48"),),
)
DATE = "Sun, 10 Aug 2008 03:51:52 GMT"


def gua(number: int) -> bytes:
    """An address inside the link's /64."""
    return (PREFIX.network_address + 0x1234_0000_0000_0000 + number).packed


def ll(number: int) -> bytes:
    return (IPv6Address("fe80::1234:0:0:0") + number).packed


def datagram(src: bytes, dst: bytes, payload: bytes = b"data", hop_limit: int = 64) -> bytes:
    return ipv6.build(src, dst, numbers.UDP, udp.build(src, dst, 1000, 2000, payload), hop_limit=hop_limit)


def dad(target: bytes) -> bytes:
    return nd.build(nd.UNSPECIFIED, nd.solicited_node(target), nd.NeighbourSolicitation(target))


def advertise(src: bytes, dst: bytes, target: bytes, solicited: bool = False) -> bytes:
    return nd.build(src, dst, nd.NeighbourAdvertisement(target, solicited=solicited, override=True))


class Site:
    """The server, its output sorted by end point, and the time."""

    def __init__(self, **changes: Any) -> None:
        self.now = 1000.0
        self.config = replace(CONFIG, **changes)
        self.kept: dict[bytes, str] = {}
        """Addresses that are kept for an identity."""
        self.server = IpHttpsServer(self.config, lambda: DATE, lambda: 0.5, self.kept.get)
        self.events: list[ServerEvent] = []
        self._streams: dict[int, bytes] = {}
        self._kernel: list[bytes] = []
        self._framers: dict[int, PacketFramer] = {}

    def connect(self, number: int, identity: str | None = None, *headers: tuple[str, str]) -> bytes:
        """Open a session and do the HTTP exchange; the answer's head."""
        if identity is None and self.config.mode == "certificates":
            identity = f"client{number}.example"
        self.server.open(number, Peer("192.0.2.7", 50000 + number, identity), self.now)
        self.feed(number, build_request("/IPHTTPS", "gateway.example", headers))
        head, _, rest = self.stream(number).partition(b"\r\n\r\n")
        self._streams[number] = rest
        return head

    def feed(self, number: int, data: bytes) -> None:
        self.server.receive(data, number, self.now)
        self._collect()

    def tell_kernel_side(self, *packets: bytes) -> None:
        self.server.from_kernel(packets, self.now)
        self._collect()

    def pass_time(self, seconds: float) -> None:
        """Let every timer on the way fire at its own time."""
        end = self.now + seconds
        while (when := self.server.timer()) is not None and when <= end:
            self.now = max(self.now, when)
            self.server.on_timer(self.now)
            self._collect()
        self.now = end

    def _collect(self) -> None:
        for endpoint, chunks in self.server.transmit():
            if endpoint == TUN:
                self._kernel += chunks
            else:
                self._streams[endpoint] = self._streams.get(endpoint, b"") + b"".join(chunks)
        self.events += self.server.events()

    def stream(self, number: int) -> bytes:
        """What was sent to a session since the last look."""
        return self._streams.pop(number, b"")

    def packets(self, number: int) -> list[bytes]:
        """The same, as packets of stock framing."""
        return self._framers.setdefault(number, PacketFramer(1500)).feed(self.stream(number))

    def kernel(self) -> list[bytes]:
        """What was sent to the kernel since the last look."""
        taken, self._kernel = self._kernel, []
        return taken

    def closed(self, number: int) -> Close | None:
        return next((e for e in self.events if isinstance(e, Close) and e.session == number), None)

    def drops(self) -> dict[str, int]:
        return {reason.name: times for reason, times in self.server.drop_totals().items()}
