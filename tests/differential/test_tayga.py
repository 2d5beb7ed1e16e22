"""Our translator against TAYGA: the same packets, and every difference is one that we can name.

``docs/reference/conformance.md`` lists the differences by the names used here, with the reason for each. What both
translate has the same bytes, but for three fields that are masked: the IPv4 identification, which each chooses,
DF, which TAYGA always sets and RFC 7915 5.1 only above 1260 bytes, and the TOS of errors (RFC 1812 4.3.2.5).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from manageout.protocol.core.drops import Drop
from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.rules import Translator
from manageout.protocol.translate.whole import Translation
from manageout.wire.checksum import checksum, pseudo
from tests.differential.kernel import in_namespace
from tests.differential.tayga import Tayga
from tests.differential.test_isatap import SEED
from tests.tools.packets.translation import ErrorGenerator, Generator, mappings

pytestmark = pytest.mark.system
PACKETS = 10_000
MTU = 1500
DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "conformance.md"
ICMP, UDP, FRAGMENT, ICMPV6 = 1, 17, 44, 58

DROPPED = {
    Drop.SOURCE_ILLEGAL: "illegal addresses",
    Drop.DESTINATION_ILLEGAL: "illegal addresses",
    Drop.LEASE_SPOOFED: "spoofed leases",
    Drop.SOURCE_IN_PREF64: "source in the NAT64 prefix",
    Drop.UNKNOWN_LEASE: "unmapped addresses",
    Drop.NO_LEASE: "unmapped addresses",
    Drop.NOT_TRANSLATED: "unmapped addresses",
    Drop.PROTOCOL_FORBIDDEN: "protocol numbers",
    Drop.ICMP_UNTRANSLATABLE: "protocol numbers",
    Drop.HOP_LIMIT: "hop limit",
    Drop.ROUTING_HEADER: "extension headers",
    Drop.FRAGMENT_CHAIN: "extension headers",
    Drop.MALFORMED: "extension headers",
    Drop.SOURCE_ROUTE: "IPv4 options",
}


def test_tayga(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()

    def compare() -> None:
        maps = mappings()
        ours = Translator(maps, mtu4=MTU, mtu6=MTU, random=lambda: 0.0, errors_per_second=1e9)
        generator = Generator(SEED, maps)
        with Tayga(maps, MTU, tmp_path) as tayga:
            for number in range(PACKETS):
                packet = generator.packet()
                if takes(packet):
                    now = 10.0 * number  # so that no fragment waits for another
                    results = translated(ours, packet, now)
                    theirs = tayga.translate(packet)
                    seen[difference(maps, packet, results, theirs)] += 1

    print(f"seed {SEED}: to repeat, DIFFERENTIAL_SEED={SEED}")
    in_namespace(compare)
    for name, count in seen.most_common():
        print(count, name)
    assert seen["none"] > PACKETS // 2
    listed = DOCUMENT.read_text()
    assert all(f"| {name} |" in listed for name in seen if name != "none")


def test_errors_about_translated_packets(tmp_path: Path) -> None:
    """Well-formed ICMP errors of every type and code that has a counterpart, about packets that were translated."""
    seen: Counter[str] = Counter()

    def compare() -> None:
        maps = mappings()
        ours = Translator(maps, mtu4=MTU, mtu6=MTU, random=lambda: 0.0, errors_per_second=1e9)
        generator = ErrorGenerator(SEED, maps)
        with Tayga(maps, MTU, tmp_path) as tayga:
            for number in range(PACKETS // 4):
                packet = generator.packet()
                results = translated(ours, packet, 10.0 * number)
                theirs = tayga.translate(packet)
                made = [result.packet for result in results if result.packet]
                alike = list(map(quote_too, made)) == list(map(quote_too, theirs))
                seen["none" if alike else error_named(packet)] += 1

    print(f"seed {SEED}: to repeat, DIFFERENTIAL_SEED={SEED}")
    in_namespace(compare)
    for name, count in seen.most_common():
        print(count, name)
    assert seen["none"] > PACKETS // 8
    listed = DOCUMENT.read_text()
    assert all(f"| {name} |" in listed for name in seen if name != "none")


def error_named(packet: bytes) -> str:
    """The name of a difference in what becomes of an error; a failure if it has none."""
    at = 40 if packet[0] >> 4 == 6 else 20
    kind, code, mtu = packet[at], packet[at + 1], int.from_bytes(packet[at + 6 : at + 8], "big")
    names = {(6, 4): "Parameter Problem", (4, 12): "Parameter Problem"}
    name = names.get((packet[0] >> 4, kind))
    if (packet[0] >> 4, kind, code) == (6, 1, 3):
        name = "Address Unreachable"
    if mtu < 88 and (packet[0] >> 4, kind) in ((6, 2), (4, 3)):
        name = "impossible MTUs"
    assert name, packet.hex()
    return name


def quote_too(packet: bytes) -> bytes:
    """Comparable, an IPv4 packet that is quoted as well."""
    packet = comparable(packet)
    if packet[0] >> 4 == 6:
        return packet
    at = 16 + 8  # comparable() takes 4 bytes away
    return packet[:at] + comparable(packet[at:])


def takes(packet: bytes) -> bool:
    """Whether the device takes it at all: a packet of either version, whose header is whole."""
    version = packet[0] >> 4
    return len(packet) <= MTU and (version == 4 or (version == 6 and len(packet) >= 40))


def translated(ours: Translator, packet: bytes, now: float) -> list[Translation]:
    ours.on_timer(now)  # what did not become whole is no answer to this packet
    return ours.to_ipv4(packet, 7, now) if packet[0] >> 4 == 6 else ours.to_ipv6(packet, now)


def difference(maps: Mappings, packet: bytes, results: list[Translation], theirs: list[bytes]) -> str:
    """The name of the difference, or "none"; a failure if there is one without a name."""
    ours = [made for result in results if (made := result.packet or result.error)]
    if list(map(comparable, ours)) == list(map(comparable, theirs)):
        return "none"
    reasons = [result.reason for result in results if result.reason is not None]
    if [udp_sum(made) for made in ours] == [b"\xff\xff"] and [udp_sum(made) for made in theirs] == [b"\0\0"]:
        return "UDP checksums of 0"
    name = (DROPPED.get(reasons[0]) if reasons else None) or named(maps, packet)
    assert name, (
        f"{packet.hex()}\nours {reasons} {[p.hex() for p in ours]}\ntheirs {[p.hex() for p in theirs]}"
    )
    return name


def udp_sum(packet: bytes) -> bytes:
    """The checksum's field, if the packet is UDP without options or extension headers."""
    at, protocol = (40, packet[6]) if packet[0] >> 4 == 6 else (20, packet[9])
    return packet[at + 6 : at + 8] if protocol == UDP else b""


def named(maps: Mappings, packet: bytes) -> str | None:
    """A difference in what we translate, told by the packet."""
    is_ipv6 = packet[0] >> 4 == 6
    start = 40 if is_ipv6 else (packet[0] & 15) * 4
    protocol, body = packet[6 if is_ipv6 else 9], packet[start:]
    if protocol == FRAGMENT if is_ipv6 else packet[6] & 0xBF or packet[7]:
        return "fragments"
    if start not in (20, 40):
        return "IPv4 options"
    if is_ipv6 and maps.in_pool(packet[36:40]):
        return "client to client"
    if protocol == UDP and body[6:8] == b"\0\0":
        return "UDP without a checksum"
    if protocol in (ICMP, ICMPV6):
        partial = pseudo(packet[8:24], packet[24:40], len(body), ICMPV6) if is_ipv6 else 0
        if checksum(body, partial):
            return "wrong ICMP checksums"
        return "errors about echo replies" if body[:1] in (b"\x00", b"\x81") else "ICMP errors"
    if is_ipv6 and protocol in (0, 43, 60):
        return "extension headers"
    return None


def comparable(packet: bytes) -> bytes:
    """Without what each translator may choose."""
    if packet[0] >> 4 == 6:
        return packet
    is_error = packet[9] == ICMP and packet[20:21] in (b"\x03", b"\x0b", b"\x0c")
    tos = b"\0" if is_error else packet[1:2]
    fragment = bytes((packet[6] & 0xBF, packet[7]))
    return b"".join((packet[:1], tos, packet[2:4], fragment, packet[8:10], packet[12:]))
