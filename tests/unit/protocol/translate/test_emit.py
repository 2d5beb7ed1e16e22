"""Fragments that go out: they cover the datagram, fit, and are multiples of 8."""

from __future__ import annotations

import pytest

from manageout.protocol.translate.emit import Out4, Out6
from manageout.wire import ipv4, ipv6
from manageout.wire.ipv6 import Fragment

BODY = bytes(range(256)) * 20


@pytest.mark.parametrize("limit", [68, 576, 1279, 1280, 1500])
@pytest.mark.parametrize("more", [True, False])
def test_ipv6(limit: int, more: bool) -> None:
    out = Out6(3, 60, 17, bytes(15) + b"\1", bytes(15) + b"\2")
    body, at = b"", 5
    packets = out.fragments(BODY, 5, more, 0xABCD, limit)
    for number, packet in enumerate(packets):
        header, payload = ipv6.parse(packet)
        found = ipv6.walk_extensions(packet).fragment
        last = number == len(packets) - 1
        assert found == Fragment(at, more or not last, 0xABCD) and len(packet) <= limit
        assert (header.traffic_class, header.hop_limit, packet[40]) == (3, 60, 17)
        body += payload[8:]
        at = 5 + len(body) // 8
    assert body == BODY


@pytest.mark.parametrize("size", [1, 1449, 1452])
def test_a_fragment_that_fits_stays_one(size: int) -> None:
    out = Out6(3, 60, 17, bytes(15) + b"\1", bytes(15) + b"\2")
    assert len(out.fragments(bytes(size), 5, False, 1, 1500)) == 1


@pytest.mark.parametrize("limit", [68, 576, 1279, 1500])
@pytest.mark.parametrize("fragment", [None, Fragment(5, True, 0x1234ABCD), Fragment(5, False, 9)])
def test_ipv4(limit: int, fragment: Fragment | None) -> None:
    out = Out4(3, 60, 17, b"\1\2\3\4", b"\4\3\2\1")
    body = b""
    packets = out.fragments(BODY, 7, fragment, limit)
    for number, packet in enumerate(packets):
        header, payload = ipv4.parse(packet)
        last = number == len(packets) - 1
        assert header.fragment_offset == (fragment.offset if fragment else 0) + len(body) // 8
        assert header.flags == int(not last or bool(fragment and fragment.more)) and len(packet) <= limit
        assert header.ident == (fragment.ident & 0xFFFF if fragment else 7)
        body += payload
    assert body == BODY


def test_rfc7915_5_1_df() -> None:
    out = Out4(0, 60, 17, b"\1\2\3\4", b"\4\3\2\1")
    assert out.packet(bytes(1241), 7, None, False)[6] == 0x40
    assert out.packet(bytes(1240), 7, None, False)[6] == 0
    assert out.packet(bytes(1241), 7, None, True)[6] == 0
    assert out.packet(bytes(1241), 7, Fragment(0, False, 7), False)[6] == 0
