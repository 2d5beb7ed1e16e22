"""Random packets for both directions of the translator: valid, spoofed, damaged; all from one seed."""

from __future__ import annotations

import random
from ipaddress import IPv4Network, IPv6Network

from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.whole import Mtus
from manageout.wire import icmpv4, icmpv6, ipv4, ipv6, tcp
from tests.tools.packets import udp

NAT64 = IPv6Network("fd12:3456:789a:64::/96")
POOL = IPv4Network("10.9.0.0/16")
CLIENT_NET = bytes.fromhex("fd123456789a1000")
MTUS = Mtus(1500, 1480, 1300)
LEASES = {
    CLIENT_NET + bytes(7) + bytes([number]): bytes([10, 9, number, number]) for number in (1, 2, 128, 255)
}
STRAY = CLIENT_NET + bytes(6) + b"\x07\x07", bytes([192, 0, 2, 7])
"""A lease outside of the pool."""
OWN4, OWN6 = bytes([10, 9, 255, 254]), CLIENT_NET + bytes(8)
EAM = [
    (IPv4Network("198.51.100.0/24"), IPv6Network("fd12:3456:789a:7::/120")),
    (IPv4Network("10.0.0.9/32"), IPv6Network("fd12:3456:789a:7::9999/128")),
]
HOSTS4 = [bytes([10, 0, 0, 20]), bytes([8, 8, 8, 8]), bytes([172, 16, 255, 1])]
TROUBLES4 = [
    bytes(octets)
    for octets in (
        (0, 1, 2, 3),
        (127, 0, 0, 1),
        (169, 253, 255, 255),
        (169, 254, 0, 0),
        (169, 254, 255, 255),
        (169, 255, 0, 0),
        (224, 0, 0, 1),
        (255, 255, 255, 255),
        (240, 0, 0, 1),
        (10, 9, 1, 1),
        (10, 9, 200, 200),
        (10, 9, 0, 0),
        (192, 0, 2, 7),
        (198, 51, 100, 3),
        (10, 0, 0, 9),
        (223, 255, 255, 255),
        (1, 0, 0, 0),
        (10, 8, 255, 255),
        (10, 10, 0, 0),
    )
]


def mappings(*, explicit: bool = False, stray: bool = False, pool: bool = True) -> Mappings:
    """Leases, and what else is asked for."""
    maps = Mappings(
        NAT64, own4=OWN4, own6=OWN6, pool=POOL if pool else None, eam=EAM if explicit else (), strict=False
    )
    for v6, v4 in LEASES.items():
        maps.set_lease(v6, v4)
    if stray:
        maps.set_lease(*STRAY)
    return maps


class Generator:
    """Packets, as they would stand on the wire without an Ethernet header."""

    def __init__(self, seed: int, maps: Mappings) -> None:
        self.random, self.maps = random.Random(seed), maps

    def packet(self) -> bytes:
        """Of either family; BPF_PROG_TEST_RUN takes none that is shorter than an IPv4 header."""
        packet = self.from6() if self.random.random() < 0.5 else self.from4()
        return packet if len(packet) >= 20 else self.packet()

    def from6(self) -> bytes:
        """From a client to the NAT64 prefix, mostly."""
        choose = self.random
        source, destination = self._client(), self.maps.embed(self._host4())
        if choose.random() < 0.12:
            source = self._trouble6()
        if choose.random() < 0.08:
            destination = self._trouble6()
        kind, body = self._upper6(source, destination)
        packet = ipv6.build(
            source,
            destination,
            kind,
            body,
            hop_limit=choose.choice((0, 1, 2, 2, 64, 64, 64, 64, 64, 64, 64, 255)),
            traffic_class=choose.randrange(256),
            flow_label=choose.randrange(1 << 20),
        )
        return self._damaged(packet, (*range(8), 6, *range(8, 48)))

    def from4(self) -> bytes:
        """From an IPv4 host to a lease, mostly."""
        choose = self.random
        source, destination = self._host4(), choose.choice(list(self.maps.leases4))
        if choose.random() < 0.1:
            destination = choose.choice(TROUBLES4)
        kind, body = self._upper4(source, destination)
        packet = ipv4.build(
            source,
            destination,
            kind,
            body,
            ttl=choose.choice((0, 1, 2, 2, 64, 64, 64, 64, 64, 64, 64, 255)),
            tos=choose.randrange(256),
            ident=choose.randrange(65536),
            dont_fragment=choose.random() < 0.5,
            options=choose.randbytes(4) if choose.random() < 0.03 else b"",
        )
        if choose.random() < 0.06:
            packet = rechecked(packet[:6] + choose.randbytes(2) + packet[8:])
        damaged = self._damaged(packet, (*range(20), *range(20, 40)))
        return rechecked(damaged) if choose.random() < 0.5 else damaged

    def _client(self) -> bytes:
        return self.random.choice(list(self.maps.leases))

    def _host4(self) -> bytes:
        choose = self.random
        if choose.random() < 0.12:
            return choose.choice(TROUBLES4)
        return choose.choice(HOSTS4) if choose.random() < 0.5 else bytes((11, *choose.randbytes(3)))

    def _trouble6(self) -> bytes:
        choose = self.random
        return choose.choice(
            (
                self.maps.embed(choose.choice(TROUBLES4)),
                self.maps.embed(choose.randbytes(4)),
                b"\xff\x02" + bytes(13) + b"\x01",
                bytes(16),
                bytes(15) + b"\x01",
                bytes(12) + choose.choice(TROUBLES4),
                bytes(10) + b"\xff\xff" + choose.choice(HOSTS4),
                b"\xfe\x80" + choose.randbytes(14),
                b"\xfe\xbf" + choose.randbytes(14),
                b"\xfe\xc0" + choose.randbytes(14),
                bytes(11) + choose.randbytes(5),
                CLIENT_NET + choose.randbytes(8),
                EAM[0][1].network_address.packed[:15] + b"\x03",
                choose.randbytes(16),
            )
        )

    def _size(self) -> int:
        """Mostly small; else about the sizes where rules change."""
        choose = self.random
        if choose.random() < 0.75:
            return choose.choice((0, 1, 2, 7, 8, 20, 63, 100, 101))
        edge = choose.choice((1260, 1280, 1300, 1460, 1480, 1500, 1520))
        return max(0, edge - choose.choice((20, 28, 40, 48, 60, 68)) + choose.randrange(-2, 3))

    def _upper6(self, source: bytes, destination: bytes) -> tuple[int, bytes]:
        choose = self.random
        kind = choose.choice((*(6, 17, 58) * 6, 0, 1, 2, 43, 44, 50, 59, 60, 132))
        data = choose.randbytes(self._size())
        if kind == 6:
            return kind, tcp.build(source, destination, self._tcp(4000, 80), data)
        if kind == 17:
            return kind, self._udp(udp.build(source, destination, 4000, 53, data))
        if kind == 58:
            number = choose.choice((*(128, 129) * 4, 1, 2, 3, 4, 133, 135, 143))
            return kind, icmpv6.build(
                source, destination, number, int(choose.random() < 0.1), b"\0\1\0\2" + data
            )
        return kind, data

    def _upper4(self, source: bytes, destination: bytes) -> tuple[int, bytes]:
        choose = self.random
        kind = choose.choice((*(6, 17, 1) * 5, 2, 41, 47, 50, 58, 132))
        data = choose.randbytes(self._size())
        if kind == 6:
            return kind, tcp.build(source, destination, self._tcp(80, 4000), data)
        if kind == 17:
            return kind, self._udp(udp.build(source, destination, 53, 4000, data))
        if kind == 1:
            number = choose.choice((*(8, 0) * 4, 3, 4, 5, 11, 12, 13, 17))
            return kind, icmpv4.build(icmpv4.Icmpv4(number, int(choose.random() < 0.1), 0x10002, data))
        return kind, data

    def _tcp(self, source: int, destination: int) -> tcp.Tcp:
        choose = self.random
        options = choose.randbytes(choose.choice((0, 0, 12)))
        return tcp.Tcp(source, destination, choose.randrange(1 << 32), 5, 24, 512, 0, options)

    def _udp(self, segment: bytes) -> bytes:
        """Now and then without a checksum, or with one that a translation may make 0."""
        fate = self.random.random()
        if fate < 0.1:
            return segment[:6] + b"\0\0" + segment[8:]
        if fate < 0.3:
            return segment[:6] + self.random.randbytes(2) + segment[8:]
        return segment

    def _damaged(self, packet: bytes, spots: tuple[int, ...]) -> bytes:
        """Now and then cut short, padded or with one bit changed where it hurts."""
        choose, fate = self.random, self.random.random()
        if fate > 0.15:
            return packet
        if fate < 0.04:
            return packet[: choose.randrange(len(packet) + 1)]
        if fate < 0.06:
            return packet + choose.randbytes(choose.randrange(1, 9))
        changed = bytearray(packet)
        spot = choose.choice(spots)
        if spot < len(changed):
            changed[spot] ^= 1 << choose.randrange(8)
        return bytes(changed)


class ErrorGenerator:
    """Errors about packets that were translated, from their receivers to their senders."""

    def __init__(self, seed: int, maps: Mappings) -> None:
        self.random, self.maps = random.Random(seed), maps

    def packet(self) -> bytes:
        """Of either family."""
        choose = self.random
        client, lease = choose.choice(list(self.maps.leases.items()))
        host = choose.choice(HOSTS4)
        size, mtu = (
            choose.choice((0, 8, 300, 700)),
            choose.choice((0, 68, 576, 1260, 1280, 1400, 1480, 1500, 9000)),
        )
        ports = (4000).to_bytes(2, "big") + choose.randrange(65536).to_bytes(2, "big")
        pointer, common = choose.randrange(44), {"ttl": choose.choice((1, 64))}
        if choose.random() < 0.5:
            server = self.maps.embed(host)
            segment = udp.build(server, client, 53, 4000, choose.randbytes(size))
            about = ipv6.build(server, client, 17, segment, hop_limit=choose.choice((1, 55)))
            kind, codes = choose.choice(((1, 8), (2, 1), (3, 2), (4, 3)))
            word = mtu if kind == 2 else pointer if kind == 4 else 0
            body = icmpv6.build(
                client, server, kind, choose.randrange(codes), word.to_bytes(4, "big") + about[: 1280 - 48]
            )
            return ipv6.build(client, server, 58, body, hop_limit=common["ttl"] + 1)
        segment = ports + (8 + size).to_bytes(2, "big") + choose.randbytes(2 + size)
        about = ipv4.build(lease, host, 17, segment, ttl=choose.choice((1, 55)), ident=5, tos=8)
        kind, codes = choose.choice(((3, 17), (11, 2), (12, 3)))
        code = choose.randrange(codes)
        word = mtu if (kind, code) == (3, 4) else pointer << 24 if kind == 12 else 0
        quote = about[: choose.choice((28, 548))]
        return ipv4.build(
            host, lease, 1, icmpv4.build(icmpv4.Icmpv4(kind, code, word, quote)), ttl=common["ttl"] + 1
        )


def rechecked(packet: bytes) -> bytes:
    """With a right IPv4 header checksum, if the header is there."""
    size = (packet[0] & 15) * 4 if packet else 0
    if size < 20 or len(packet) < size:
        return packet
    total = int.from_bytes(packet[:10] + b"\0\0" + packet[12:size], "big") % 0xFFFF
    return packet[:10] + (0xFFFF - total).to_bytes(2, "big") + packet[12:]
