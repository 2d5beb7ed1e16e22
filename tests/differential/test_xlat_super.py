"""Super-packets and unfinished checksums: the translator's program and its Python twin make the same of them."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from manageout.protocol.core.drops import Verdict
from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.whole import Translation, WholePackets, addresses, fold
from manageout.wire import icmpv4, icmpv6, ipv4, ipv6, tcp
from manageout.wire.virtio import (
    GSO_ECN,
    GSO_NONE,
    GSO_TCPV4,
    GSO_TCPV6,
    GSO_UDP_L4,
    HEADER,
    NEEDS_CSUM,
    VNET_HEADER,
)
from tests.differential.kernel import in_namespace
from tests.differential.test_isatap import SEED
from tests.differential.xlat_device import XlatDevice
from tests.tools.packets.translation import HOSTS4, MTUS, TROUBLES4, mappings
from tests.tools.packets.virtio import VnetHdr
from tests.tools.this_kernel import linux

pytestmark = pytest.mark.system
SUPER_PACKETS = 20_000
CHECKSUM_AT = {6: 16, 17: 6}


class SuperGenerator:
    """(``virtio_net_hdr``, packet) of either family, mostly such as are translated."""

    def __init__(self, seed: int, maps: Mappings) -> None:
        self.random, self.maps = random.Random(seed), maps

    def packet(self) -> tuple[VnetHdr, bytes]:
        choose = self.random
        client, lease = choose.choice(list(self.maps.leases.items()))
        host = choose.choice(HOSTS4 if choose.random() < 0.9 else TROUBLES4)
        ttl, tos = choose.choice((1, 64, 64, 255)), choose.randrange(256)
        if choose.random() < 0.5:
            source, destination, ip = client, self.maps.embed(host), 40
            protocol, body, header = self._upper(source, destination, ip)
            return header, ipv6.build(source, destination, protocol, body, hop_limit=ttl, traffic_class=tos)
        source, destination, ip = host, lease, 20
        protocol, body, header = self._upper(source, destination, ip)
        whole = choose.random() < 0.7
        return header, ipv4.build(
            source, destination, protocol, body, ttl=ttl, tos=tos, ident=7, dont_fragment=whole
        )

    def _upper(self, source: bytes, destination: bytes, ip: int) -> tuple[int, bytes, VnetHdr]:
        """Transport and header; its checksum is the pseudo-header's sum, to be finished by who sends it."""
        choose = self.random
        kind = choose.choice(("tcp", "tcp", "tcp ecn", "udp", "udp", "small tcp", "small udp"))
        mss = choose.choice((536, 1200, 1220, 1221, 1240, 1400, 1440, 1460, choose.randrange(100, 1480)))
        count = choose.randrange(2, 9) if choose.random() < 0.9 else 40
        size = (
            min(mss * count - choose.randrange(mss), 65000) if "small" not in kind else choose.randrange(1400)
        )
        data = choose.randbytes(size)
        if "tcp" in kind:
            options = choose.randbytes(choose.choice((0, 12)))
            fields = tcp.Tcp(4000, 80, choose.randrange(1 << 32), 5, tcp.ACK, 512, 0, options)
            protocol, body = 6, tcp.build(bytes(16), bytes(16), fields, data)
            gso = (GSO_TCPV6 if ip == 40 else GSO_TCPV4) | (GSO_ECN if "ecn" in kind else 0)
        else:
            length = (8 + size).to_bytes(2, "big")
            protocol, body, gso = 17, b"\x0f\xa0\0\x35" + length + b"\0\0" + data, GSO_UDP_L4
        upper = len(body) - size
        if "small" in kind:
            gso = mss = 0
        field = CHECKSUM_AT[protocol]
        partial = fold(addresses(source, destination) + len(body) + protocol)
        body = body[:field] + partial.to_bytes(2, "big") + body[field + 2 :]
        return protocol, body, VnetHdr(NEEDS_CSUM, gso, ip + upper if gso else 0, mss, ip, field)


def comparable(result: Translation) -> Translation:
    """Without the length of headers, which the kernel sets to what it happens to hold in one piece."""
    if not result.packet:
        return result
    header = VnetHdr(*HEADER.unpack_from(result.packet))._replace(hdr_len=0)
    return result._replace(packet=header.pack() + result.packet[VNET_HEADER:])


def alike(twin: WholePackets, device: XlatDevice, header: VnetHdr, packet: bytes) -> Translation | None:
    got = device.translate(header.pack(), packet)
    if got is None:
        return None
    after = got.packet[VNET_HEADER:]
    ident = int.from_bytes(after[4:6], "big") if after and after[0] >> 4 == 4 else 1
    expected = twin.translate_gso(header.pack(), packet, ident)
    assert comparable(got) == comparable(expected), f"{got.reason!r} {header} {packet.hex()}"
    return got


def test_random_super_packets() -> None:
    seen: Counter[tuple[int, int, Verdict]] = Counter()

    def compare() -> None:
        maps = mappings()
        generator, twin = SuperGenerator(SEED, maps), WholePackets(maps, MTUS)
        with XlatDevice(maps, MTUS) as device:
            for _ in range(SUPER_PACKETS):
                header, packet = generator.packet()
                result = alike(twin, device, header, packet)
                if result is not None:
                    seen[packet[0] >> 4, header.gso_type, result.verdict] += 1

    print(f"seed {SEED}: to repeat, DIFFERENTIAL_SEED={SEED}")
    in_namespace(compare)
    for outcome, count in sorted(seen.items(), key=str):
        print(*outcome, count)
    for version, kinds in ((4, (GSO_NONE, GSO_TCPV4, GSO_UDP_L4)), (6, (GSO_NONE, GSO_TCPV6, GSO_UDP_L4))):
        for kind in kinds:
            if kind is GSO_UDP_L4 and linux() < (6, 2):
                continue  # its TUN takes no super-packets of UDP
            assert seen[version, kind, Verdict.FORWARD] > SUPER_PACKETS // 50


def test_an_echo_whose_checksum_is_unfinished() -> None:
    """The program cannot see that it is; what it makes of it is right when finished."""

    def compare() -> None:
        maps = mappings()
        client, lease = next(iter(maps.leases.items()))
        server6 = maps.embed(HOSTS4[0])
        with XlatDevice(maps, MTUS) as device:
            body = bytearray(icmpv6.build(client, server6, 128, 0, b"\0\1\0\2" + bytes(range(30))))
            body[2:4] = fold(addresses(client, server6) + len(body) + 58).to_bytes(2, "big")
            header = VnetHdr(NEEDS_CSUM, csum_start=40, csum_offset=2)
            result = device.translate(header.pack(), ipv6.build(client, server6, 58, bytes(body)))
            assert result is not None and result.verdict is Verdict.FORWARD
            assert VnetHdr(*HEADER.unpack_from(result.packet)) == VnetHdr(
                NEEDS_CSUM, csum_start=20, csum_offset=2
            )
            message = bytearray(ipv4.parse(result.packet[VNET_HEADER:])[1])
            assert bytes(message[2:4]) in (b"\0\0", b"\xff\xff")
            message[2:4] = b"\0\0"
            value = 0xFFFF - fold(int.from_bytes(message, "big"))
            message[2:4] = value.to_bytes(2, "big")
            assert icmpv4.parse(bytes(message)).type == 8
            assert lease

    in_namespace(compare)
