"""TCP headers over both address families."""

from __future__ import annotations

import pytest

from manageout.errors import WireError
from manageout.wire import ipv4, ipv6
from tests.tools.packets import tcp
from tests.vectors import vector

SYN = tcp.Tcp(40001, 80, 0x11223344, 0, tcp.SYN, 65535, 0, bytes.fromhex("020405a0"))
HEADER4, SEGMENT4 = ipv4.parse(vector("SIIT_tcpsyn_v4"))
HEADER6, SEGMENT6 = ipv6.parse(vector("SIIT_tcpsyn_v6"))


@pytest.mark.parametrize(
    ("src", "dst", "segment"),
    [(HEADER4.src, HEADER4.dst, SEGMENT4), (HEADER6.src, HEADER6.dst, SEGMENT6)],
)
def test_vectors_survive_the_round_trip(src: bytes, dst: bytes, segment: bytes) -> None:
    assert tcp.parse(src, dst, segment) == (SYN, b"")
    assert tcp.build(src, dst, SYN) == segment


def test_payload() -> None:
    header = SYN._replace(flags=tcp.ACK | tcp.PSH | tcp.ECE, options=b"", urgent=7)
    segment = tcp.build(HEADER6.src, HEADER6.dst, header, b"odd")
    assert tcp.parse(HEADER6.src, HEADER6.dst, segment) == (header, b"odd")


def test_refuses() -> None:
    src, dst = HEADER4.src, HEADER4.dst
    with pytest.raises(WireError, match="truncated TCP header: 19 bytes"):
        tcp.parse(src, dst, SEGMENT4[:19])
    for offset in (0x4F, 0x70):
        with pytest.raises(WireError, match="TCP data offset"):
            tcp.parse(src, dst, SEGMENT4[:12] + bytes((offset,)) + SEGMENT4[13:])
    with pytest.raises(WireError, match="wrong TCP checksum"):
        tcp.parse(src, dst, SEGMENT4[:-1] + b"X")
    for options in (b"123", bytes(44)):
        with pytest.raises(WireError, match="TCP options"):
            tcp.build(src, dst, SYN._replace(options=options))
