"""Random packets for both directions of an ISATAP link: valid, spoofed, damaged; all from one seed."""

from __future__ import annotations

import random
import struct

from manageout.protocol.core.prefixes import Prefix
from manageout.protocol.isatap.link import LinkRole, LinkState

LINK = bytes.fromhex("fd123456789a0001")
SECOND_LINK = bytes.fromhex("fd123456789a0002")
OTHER_LINK = bytes.fromhex("fd12345678990001")
CLIENT = bytes.fromhex("fd123456789a10000000000000000005")
FE80 = bytes.fromhex("fe80000000000000")


def v4(text: str) -> bytes:
    return bytes(int(part) for part in text.split("."))


LOCATORS = [v4("10.0.0.1"), v4("10.0.0.2")]
HOSTS = [v4("10.0.1.30"), v4("10.0.1.31"), v4("203.0.113.5")]
STRANGERS = [v4("10.0.1.99"), v4("10.0.2.1"), v4("192.0.2.9")]
SIBLING = v4("10.0.1.9")
ILLEGAL = [v4("0.1.2.3"), v4("127.0.0.1"), v4("224.0.0.1"), v4("255.255.255.255"), v4("240.0.0.1")]
V4 = [*LOCATORS, *HOSTS, *HOSTS, *STRANGERS, SIBLING, *ILLEGAL]


def state(role: LinkRole) -> LinkState:
    """A router with siblings and a route, or a host with two prefixes and two routers."""
    if role is LinkRole.ROUTER:
        link = LinkState(
            role,
            prefixes=[LINK],
            locators=LOCATORS,
            allowed=[Prefix(v4("10.0.1.0"), 24), Prefix(v4("10.0.0.0"), 28), Prefix(HOSTS[2], 32)],
            routers=[SIBLING],
            routes=[
                (Prefix(bytes.fromhex("fd123456789a2000") + bytes(8), 52), HOSTS[0]),
                (Prefix(bytes.fromhex("fd123456789a2100") + bytes(8), 56), STRANGERS[1]),
                (Prefix(bytes.fromhex("fd123456789a2200") + bytes(8), 64), SIBLING),
                (Prefix(bytes.fromhex("fd123456789a2300") + bytes(8), 64), ILLEGAL[1]),
            ],
        )
    else:
        link = LinkState(
            role,
            prefixes=[LINK, SECOND_LINK],
            locators=LOCATORS[:1],
            routers=[SIBLING, HOSTS[1]],
            routes=[(Prefix(bytes(16), 0), SIBLING), (Prefix(CLIENT[:8] + bytes(8), 59), HOSTS[1])],
        )
    for host in HOSTS:
        link.register(host, LOCATORS[-1])
    return link


def isatap(prefix: bytes, host: bytes, universal: bool = False) -> bytes:
    return prefix + (b"\x02" if universal else b"\x00") + b"\x00\x5e\xfe" + host


class Generator:
    """Packets, as they would stand on the wire without an Ethernet header."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def _address(self, likely: bytes) -> bytes:
        """Mostly ``likely``; else something from the list of troubles."""
        choose = self.random
        if choose.random() < 0.7:
            return likely
        host = choose.choice(V4)
        return choose.choice(
            [
                isatap(LINK, host, choose.random() < 0.5),
                isatap(OTHER_LINK, host),
                isatap(SECOND_LINK, host),
                isatap(FE80, host),
                b"\x20\x02" + host + bytes(10),
                b"\xff\x02" + bytes(13) + b"\x02",
                bytes(16),
                bytes(15) + b"\x01",
                bytes(12) + host,
                bytes(10) + b"\xff\xff" + host,
                b"\xfe\x80" + choose.randbytes(14),
                bytes.fromhex("fd123456789a") + bytes([0x20 + choose.randrange(4)]) + choose.randbytes(9),
                LINK + choose.randbytes(8),
                CLIENT[:8] + choose.randbytes(8),
                choose.randbytes(16),
            ]
        )

    def inner(self, source: bytes, destination: bytes) -> bytes:
        """An IPv6 packet between two addresses that are mostly those given."""
        choose = self.random
        body = choose.randbytes(choose.choice([0, 1, 8, 8, 20, 100]))
        header = choose.choice([6, 17, 17, 17, 58, 59, 0, 44])
        if header == 58 and body:
            body = bytes([choose.choice([1, 2, 128, 129, *range(132, 139)])]) + body[1:]
        first = 6 << 28 | choose.randrange(1 << 28)
        fixed = struct.pack("!IHBB", first, len(body), header, choose.choice([0, 1, 2, 64, 255]))
        packet = fixed + self._address(source) + self._address(destination) + body
        return self._damaged(packet, [0, 4, 5, 6, *range(8, 41)])

    def _damaged(self, packet: bytes, spots: list[int]) -> bytes:
        """Now and then cut short, padded or with one octet changed where it hurts."""
        choose, fate = self.random, self.random.random()
        if fate > 0.2:
            return packet
        if fate < 0.04:
            return packet[: choose.randrange(len(packet) + 1)]
        if fate < 0.08:
            return packet + choose.randbytes(choose.randrange(1, 9))
        changed = bytearray(packet)
        spot = choose.choice(spots)
        if spot < len(changed):
            changed[spot] ^= 1 << choose.randrange(8)
        return bytes(changed)

    def leaving(self) -> bytes:
        """An IPv6 packet on its way into the tunnel; BPF_PROG_TEST_RUN takes none without a header."""
        host = self.random.choice(HOSTS)
        packet = self.inner(CLIENT, isatap(LINK, host))
        return packet if len(packet) >= 40 else self.leaving()

    def arriving(self) -> bytes:
        """An IPv4 packet from the underlay."""
        choose = self.random
        host = choose.choice(HOSTS) if choose.random() < 0.7 else choose.choice(V4)
        locator = choose.choice(LOCATORS) if choose.random() < 0.97 else choose.choice(V4)
        inner = self.inner(isatap(LINK, host), CLIENT)
        options = choose.randbytes(4) if choose.random() < 0.02 else b""
        fragment = choose.choice([0, 0x4000]) if choose.random() < 0.97 else choose.randrange(0x10000)
        header = bytearray(
            struct.pack(
                "!BBHHHBBH4s4s",
                0x45 + len(options) // 4,
                choose.randrange(256),
                20 + len(options) + len(inner),
                choose.randrange(0x10000),
                fragment,
                choose.choice([1, 64, 255]),
                41,
                0,
                host,
                locator,
            )
        )
        header[10:12] = (0xFFFF - int.from_bytes(header + options, "big") % 0xFFFF).to_bytes(2, "big")
        packet = self._damaged(bytes(header) + options + inner, list(range(20)))
        return packet if len(packet) >= 20 else self.arriving()
