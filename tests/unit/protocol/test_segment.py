"""Super-packets: cut and joined, against the obvious way and scapy's checksums."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import IPv6

from manageout.errors import WireError
from manageout.protocol.segment import HEADER, NEEDS_CSUM, PLAIN, coalesce, segment
from manageout.wire import icmpv6, ipv6, tcp, udp
from manageout.wire.checksum import pseudo6
from tests.transcript.iphttps_tools import BEYOND, gua

OPTIONS = bytes.fromhex("0101080a0000000100000002")


def tcp_packet(
    payload: bytes,
    sequence: int = 1,
    flags: int = 0x10,
    source: int = 80,
    options: bytes = OPTIONS,
    ack: int = 9,
) -> bytes:
    header = tcp.Tcp(source, 5000, sequence & 0xFFFFFFFF, ack, flags, 500, 0, options)
    return ipv6.build(
        gua(1), BEYOND, ipv6.TCP, tcp.build(gua(1), BEYOND, header, payload), traffic_class=0xB8
    )


def partial(packet: bytes, field: int) -> bytes:
    """The packet as the kernel hands it over: the pseudo-header's sum in place of the checksum."""
    value = pseudo6(packet[8:24], packet[24:40], len(packet) - 40, packet[6]) % 0xFFFF or 0xFFFF
    return packet[:field] + value.to_bytes(2, "big") + packet[field + 2 :]


def super_tcp(payload: bytes, size: int, flags: int = 0x18, sequence: int = 1) -> bytes:
    packet = partial(tcp_packet(payload, sequence, flags), 56)
    return HEADER.pack(NEEDS_CSUM, 4, 72, size, 40, 16) + packet


@given(st.binary(min_size=1, max_size=9000), st.integers(1, 1448), st.integers(0, 2**32 - 1))
def test_tcp_pieces_are_right(payload: bytes, size: int, sequence: int) -> None:
    size = max(size, len(payload) // 50 + 1)
    pieces = segment(super_tcp(payload, size, 0x99, sequence))
    assert b"".join(tcp.parse(gua(1), BEYOND, piece[40:])[1] for piece in pieces) == payload
    for n, piece in enumerate(pieces):
        header, segment_ = ipv6.parse(piece)
        parsed, data = tcp.parse(header.src, header.dst, segment_)
        last = n == len(pieces) - 1
        assert header.traffic_class == 0xB8 and len(piece) == 40 + header.payload_length
        assert parsed.sequence == (sequence + n * size) % 2**32
        assert len(data) == size or last
        # CWR in the first alone, FIN and PSH in the last alone, ACK in all.
        assert parsed.flags == 0x10 | (0x80 if n == 0 else 0) | (0x09 if last else 0)
        assert parsed.options == OPTIONS


def test_scapy_agrees_with_our_checksums() -> None:
    data = Random(1).randbytes(5001)
    for piece in segment(super_tcp(data, 1207)):
        read = IPv6(piece)
        kept = read[TCP].chksum
        del read[TCP].chksum
        assert IPv6(bytes(read))[TCP].chksum == kept
    datagram = ipv6.build(gua(1), BEYOND, ipv6.UDP, udp.build(gua(1), BEYOND, 1, 2, data))
    for piece in segment(HEADER.pack(NEEDS_CSUM, 5, 48, 999, 40, 6) + partial(datagram, 46)):
        read = IPv6(piece)
        kept = read[UDP].chksum
        del read[UDP].chksum
        assert IPv6(bytes(read))[UDP].chksum == kept


@given(st.binary(max_size=2000))
def test_a_missing_checksum_is_completed(payload: bytes) -> None:
    whole = tcp_packet(payload)
    assert segment(HEADER.pack(NEEDS_CSUM, 0, 0, 0, 40, 16) + partial(whole, 56)) == [whole]
    whole = ipv6.build(gua(1), BEYOND, ipv6.UDP, udp.build(gua(1), BEYOND, 1, 2, payload))
    assert segment(HEADER.pack(NEEDS_CSUM, 0, 0, 0, 40, 6) + partial(whole, 46)) == [whole]


def test_a_plain_packet_stays_as_it_is() -> None:
    assert segment(PLAIN + tcp_packet(b"x")) == [tcp_packet(b"x")]


@given(
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 200),
    st.integers(0, 200),
    st.integers(0, 200),
    st.binary(),
)
def test_any_header_before_any_packet_is_survived(
    flags: int, kind: int, size: int, start: int, offset: int, rest: bytes
) -> None:
    packet = tcp_packet(b"")[:40] + rest
    for piece in segment(HEADER.pack(flags, kind, 0, size, start, offset) + packet):
        assert piece[:4] == packet[:4]


# --- Together -------------------------------------------------------------------------------------------


def cut(supers: list[bytes]) -> list[bytes]:
    return [piece for data in supers for piece in segment(data)]


def test_a_run_is_joined_and_cut_again() -> None:
    packets = [tcp_packet(bytes((n,)) * 1208, 2**32 - 3000 + n * 1208) for n in range(30)]
    packets.append(tcp_packet(b"end", 2**32 - 3000 + 30 * 1208, 0x18))
    joined = coalesce(packets)
    assert len(joined) == 1
    assert cut(joined) == packets


def test_the_same_header_as_the_kernel_makes() -> None:
    data = Random(2).randbytes(10000)
    whole = super_tcp(data, 1208)
    assert coalesce(segment(whole)) == [whole]


def test_64_kib_is_the_end_of_a_super_packet() -> None:
    packets = [tcp_packet(bytes(1208), n * 1208) for n in range(100)]
    joined = coalesce(packets)
    assert len(joined) == 2 and max(map(len, joined)) <= 65535 + len(PLAIN)
    assert cut(joined) == packets


@pytest.mark.parametrize(
    "second",
    [
        tcp_packet(bytes(100), 102),  # a gap
        tcp_packet(bytes(100), 1),  # again
        tcp_packet(bytes(101), 101),  # longer than the first
        tcp_packet(b"", 101),  # no data
        tcp_packet(bytes(100), 101, 0x11),  # FIN
        tcp_packet(bytes(100), 101, 0x90),  # CWR
        tcp_packet(bytes(100), 101, options=b""),
        tcp_packet(bytes(100), 101, ack=10),
        tcp_packet(bytes(100), 101)[:56] + b"\x00\x01" + tcp_packet(bytes(100), 101)[58:],  # wrong checksum
        tcp_packet(bytes(100), 101)[:7] + b"\x05" + tcp_packet(bytes(100), 101)[8:],  # hop limit
    ],
)
def test_what_is_not_joined_keeps_its_place(second: bytes) -> None:
    first = tcp_packet(bytes(100), 1)
    assert coalesce([first, second]) == [PLAIN + first, PLAIN + second]


def test_flows_are_joined_side_by_side() -> None:
    packets = [tcp_packet(bytes(100), 1 + n // 2 * 100, source=80 + n % 2) for n in range(10)]
    assert len(coalesce(packets)) == 2
    assert sorted(cut(coalesce(packets))) == sorted(packets)


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_order_within_a_flow_and_every_byte_are_kept(seed: int, count: int) -> None:
    random = Random(seed)
    packets: list[bytes] = []
    sequence = [random.randrange(2**32) for _ in range(3)]
    for _ in range(count):
        flow = random.randrange(3)
        payload = random.randbytes(random.choice((0, 1, 99, 100, 100, 100)))
        flags = random.choice((0x10, 0x10, 0x10, 0x18, 0x11, 0x02))
        packet = tcp_packet(payload, sequence[flow], flags, source=80 + flow)
        sequence[flow] += len(payload) if random.random() < 0.9 else 7
        if random.random() < 0.1:
            at = random.randrange(40, len(packet))
            packet = packet[:at] + bytes((packet[at] ^ 1 << random.randrange(8),)) + packet[at + 1 :]
        packets.append(packet)
        if random.random() < 0.1:
            packets.append(
                ipv6.build(gua(1), BEYOND, ipv6.ICMPV6, icmpv6.build(gua(1), BEYOND, 128, 0, payload))
            )
    back = cut(coalesce(packets))
    flows = {packet[8:44] for packet in packets}
    for flow_ in flows:
        assert [p for p in back if p[8:44] == flow_] == [p for p in packets if p[8:44] == flow_]
    assert len(back) == len(packets)


def test_short_and_odd_packets_pass() -> None:
    packets = [tcp_packet(b"")[:59], tcp_packet(b"")[:52] + b"\xf0" + tcp_packet(b"")[53:]]
    assert coalesce(packets) == [PLAIN + packet for packet in packets]
    with pytest.raises(WireError):
        tcp.parse(gua(1), BEYOND, packets[1][40:])
