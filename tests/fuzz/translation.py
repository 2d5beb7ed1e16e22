"""Drivers for the translator: nothing that arrives may raise, and what goes out is a right packet."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from manageout.errors import WireError
from manageout.protocol.core.drops import Verdict
from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.rules import Translation, Translator
from manageout.protocol.translate.whole import segments
from manageout.wire import icmpv4, icmpv6, ipv4, ipv6, virtio
from tests.fuzz import repair
from tests.fuzz.engine import Target
from tests.tools.packets import udp
from tests.tools.packets.icmpv4 import echo4, parameter_problem4
from tests.vectors import names, vector

CLIENT = bytes.fromhex("20010db8cafe00000000000000000001")
LEASE, SERVER4 = bytes((198, 51, 100, 10)), bytes((192, 0, 2, 80))
SERVER = bytes.fromhex("0064ff9b0000000000000000c0000250")


def _made() -> Translator:
    maps = Mappings(
        IPv6Network("64:ff9b::/96"),
        own4=bytes((198, 51, 100, 1)),
        own6=CLIENT[:15] + b"\xff",
        pool=IPv4Network("198.51.100.0/25"),
        strict=False,
    )
    maps.set_lease(CLIENT, LEASE)
    return Translator(maps, random=lambda: 0.0, mtu4=1400, errors_per_second=1e9)


TRANSLATOR = _made()


def _judge(data: bytes, results: list[Translation], fast: Translation) -> None:
    if fast.verdict is not Verdict.SLOW:
        assert results[-1] == fast, (fast, results)
    for result in results:
        assert (result.verdict is Verdict.DROP) == (result.reason is not None)
        for packet in (result.packet, result.error):
            if packet:
                _right(packet)
        assert result.error is None or result.error[0] >> 4 == data[0] >> 4
    if not any(result.verdict is Verdict.FORWARD for result in results):
        raise WireError("not forwarded")


def _right(packet: bytes) -> None:
    if packet[0] >> 4 == 4:
        header, _ = ipv4.parse(packet)
        assert header.total_length == len(packet)
    else:
        assert 40 + ipv6.parse(packet)[0].payload_length == len(packet)
        ipv6.walk_extensions(packet)


def to_ipv4(data: bytes) -> None:
    """An IPv6 packet, at both speeds."""
    results = TRANSLATOR.to_ipv4(data, 7, 0.0)
    if data and data[0] >> 4 != 4:
        _judge(data, results, TRANSLATOR.fast(data, 7))
    elif data:
        raise WireError("not IPv6")


def to_ipv6(data: bytes) -> None:
    """An IPv4 packet, at both speeds."""
    results = TRANSLATOR.to_ipv6(data, 0.0)
    if data and data[0] >> 4 != 6:
        _judge(data, results, TRANSLATOR.fast(data, 7))
    elif data:
        raise WireError("not IPv4")


def super_packet(data: bytes) -> None:
    """A packet with its ``virtio_net_hdr``: translated, or taken apart first; never both."""
    if len(data) < virtio.HEADER.size:
        raise WireError("too short")
    header, packet = data[: virtio.HEADER.size], data[virtio.HEADER.size :]
    result = TRANSLATOR.translate_gso(header, packet, 7)
    pieces = segments(header, packet)
    assert all(piece[0] >> 4 in (4, 6) for piece in pieces if piece)
    if result.verdict is Verdict.FORWARD:
        assert len(result.packet) - len(data) in (20, -20)
    elif result.verdict is Verdict.DROP:
        raise WireError("dropped")


def _errors() -> tuple[list[bytes], list[bytes]]:
    quoted4 = ipv4.build(LEASE, SERVER4, 17, udp.build(LEASE, SERVER4, 1, 2, bytes(100)))
    quoted6 = ipv6.build(SERVER, CLIENT, 17, udp.build(SERVER, CLIENT, 1, 2, bytes(80)))
    extension = bytes.fromhex("2000dfff0008010161626364")
    four = [
        icmpv4.unreachable(4, quoted4, 1300),
        icmpv4.time_exceeded(quoted4),
        parameter_problem4(8, quoted4),
    ]
    four.append(icmpv4.build(icmpv4.Icmpv4(3, 1, 32 << 16, quoted4 + extension)))
    six = [
        icmpv6.build(CLIENT, SERVER, kind, 0, word + quoted6 + extension)
        for kind, word in ((1, b"\x10\0\0\0"), (2, b"\0\0\5\0"), (3, bytes(4)), (4, b"\0\0\0\7"))
    ]
    return (
        [ipv4.build(SERVER4, LEASE, 1, body) for body in four],
        [ipv6.build(CLIENT, SERVER, 58, body) for body in six],
    )


ERRORS4, ERRORS6 = _errors()
DATAGRAM = udp.build(CLIENT, SERVER, 1, 2, b"data")
TO6 = [ipv4.build(SERVER4, LEASE, 17, DATAGRAM), ipv4.build(SERVER4, LEASE, 1, echo4(1, 2, b"data"))]
TO6 += [ipv4.build(SERVER4, LEASE, 17, DATAGRAM, options=bytes((1, 131, 7, 8, 10, 0, 0, 1))), *ERRORS4]
TO6 += [
    vector(name)
    for name in ("SIIT_frag1_v4", "SIIT_frag2_v4", "SIIT_fragneeded_1480_v4", "SIIT_udp_csum0_v4")
]
TO4 = [vector(name) for name in names("SIIT_") if name.endswith("_v6") and "rh_" not in name][:3] + ERRORS6
TO4 += [vector("SIIT_udp_v6"), vector("SIIT_tcpsyn_v6"), vector("SIIT_echo_v6"), vector("SIIT_ptb_1400_v6")]
TO4 += [ipv6.build(CLIENT, SERVER, 44, bytes((17, 0, 0, 1, 0, 0, 0, 9)) + DATAGRAM)]
TO4 += [ipv6.build(CLIENT, SERVER, 0, bytes((60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0)) + DATAGRAM)]
_TCP = vector("SIIT_tcpsyn_v6") + bytes(3000)
SUPER = [virtio.HEADER.pack(1, 4, 64, 1200, 40, 16) + _TCP[:4] + (3024).to_bytes(2, "big") + _TCP[6:]]
SUPER += [
    virtio.HEADER.pack(1, 1, 40, 1200, 20, 16) + ipv4.build(SERVER4, LEASE, 6, _TCP[40:], dont_fragment=True)
]
SUPER += [virtio.PLAIN + packet for packet in (TO6[0], TO4[0])]


def _repair4(data: bytearray) -> None:
    repair.repair_ipv4(data)
    if len(data) > 24 and data[9] == 1 and data[0] == 0x45:
        message = data[20:]
        repair.repair_icmpv4(message)
        data[20:] = message


def _repair6(data: bytearray) -> None:
    if len(data) > 44 and data[6] == 58:
        repair.repair_nd(data)
    else:
        repair.repair_ipv6(data)


TARGETS = [
    Target("to_ipv4", to_ipv4, TO4, _repair6),
    Target("to_ipv6", to_ipv6, TO6, _repair4),
    Target("super_packet", super_packet, SUPER),
]
