"""Microseconds a packet in the IP-HTTPS machines alone: no TLS, no TUN. Run: python -m tests.bench.iphttps_machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

from manageout.protocol.iphttps.server import IpHttpsServer
from manageout.protocol.iphttps.values import Peer
from manageout.protocol.offload.cut import segment
from manageout.protocol.offload.join import StockStream
from manageout.wire import ipv6, numbers, tcp
from manageout.wire.iphttps import SUPER_PACKET, build_record, build_request
from manageout.wire.virtio import PLAIN
from tests.tools.machines.iphttps import BEYOND, CONFIG, gua
from tests.tools.packets import udp

CLIENTS = 200
BATCH = 64
ROUNDS = 200
SIZE = 1280


def _packet(src: bytes, dst: bytes) -> bytes:
    return ipv6.build(src, dst, numbers.UDP, udp.build(src, dst, 1000, 2000, bytes(SIZE - 48)))


def _server(vnet_hdr: bool, own: bool) -> IpHttpsServer:
    server = IpHttpsServer(replace(CONFIG, vnet_hdr=vnet_hdr), lambda: "now", lambda: 0.5)
    for number in range(1, CLIENTS + 1):
        server.open(number, Peer("192.0.2.1", number, f"client{number}"), 0.0)
        headers = [("Manageout-Framing", "1")] if own else []
        server.receive(build_request("/IPHTTPS", "gateway", headers), number, 0.0)
        first = _packet(gua(number), BEYOND)
        server.receive(build_record(0, first) if own else first, number, 0.0)
    server.transmit()
    return server


def _measure(once: Callable[[], object], packets: int) -> float:
    """Median microseconds a packet."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        once()
        times.append((time.perf_counter() - start) / packets * 1e6)
    return median(times)


def _down(vnet_hdr: bool, own: bool = False) -> float:
    server = _server(vnet_hdr, own)
    header = PLAIN if vnet_hdr else b""
    batch = [header + _packet(BEYOND, gua(1 + n % CLIENTS)) for n in range(BATCH)]

    def once() -> None:
        server.from_kernel(batch, 1.0)
        for _, chunks in server.transmit():
            b"".join(chunks)

    return _measure(once, BATCH)


def _up(vnet_hdr: bool, own: bool = False) -> float:
    server = _server(vnet_hdr, own)
    packet = _packet(gua(1), BEYOND)
    stream = (build_record(SUPER_PACKET, PLAIN + packet) if own else packet) * BATCH
    # As TLS gives it: 16 KiB at a time, so that packets are cut.
    chunks = [stream[at : at + 16384] for at in range(0, len(stream), 16384)]

    def once() -> None:
        for chunk in chunks:
            server.receive(chunk, 1, 1.0)
        server.transmit()

    return _measure(once, BATCH)


def _segments() -> list[bytes]:
    segments = []
    for n in range(40):
        header = tcp.Tcp(80, 5000, n * 1220, 1, 0x10, 500, 0, b"")
        segments.append(
            ipv6.build(BEYOND, gua(1), numbers.TCP, tcp.build(BEYOND, gua(1), header, bytes(1220)))
        )
    return segments


def main() -> None:
    """Print the table."""
    pieces = _segments()
    stream = b"".join(pieces)
    whole = StockStream(1500).feed(stream)[0]
    rows = {
        "server, kernel to stock clients": _down(False),
        "server, stock client to kernel": _up(False),
        "server, kernel (vnet_hdr) to stock clients": _down(True),
        "server, stock client to kernel (vnet_hdr)": _up(True),
        "server, kernel to own clients": _down(True, own=True),
        "server, own client to kernel": _up(True, own=True),
        "segment, a piece": _measure(lambda: segment(whole), len(pieces)),
        "join, a piece": _measure(lambda: StockStream(1500).feed(stream), len(pieces)),
    }
    for name, value in rows.items():
        print(f"{name:45} {value:6.2f} us/packet")


if __name__ == "__main__":
    main()
