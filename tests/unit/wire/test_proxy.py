"""PROXY protocol, version 2: bytes as balancers send them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from manageout.errors import WireError
from manageout.wire import proxy
from manageout.wire.proxy import FIXED, MAX_BODY, SIGNATURE, Proxied, begins, missing, parse
from tests.tools.packets.proxy import proxy_header as build

# As the specification lays it out, without TLVs.
V4 = SIGNATURE + bytes.fromhex("2111000c c633641e c633640a b0c2 01bb")
V6 = SIGNATURE + bytes.fromhex("21210024 20010db8" + 11 * "00" + "05 20010db8" + 11 * "00" + "01 b0c2 01bb")
LOCAL = SIGNATURE + bytes.fromhex("20000000")


def test_whom_a_balancer_connects_for() -> None:
    assert parse(V4) == Proxied(IPv4Address("198.51.100.30"), 0xB0C2)
    assert parse(V6) == Proxied(IPv6Address("2001:db8::5"), 0xB0C2)
    assert (
        build(Proxied(IPv4Address("198.51.100.30"), 0xB0C2), Proxied(IPv4Address("198.51.100.10"), 443)) == V4
    )
    mapped = Proxied(IPv6Address("::ffff:192.0.2.7"), 9)
    assert parse(build(mapped, mapped)) == Proxied(IPv4Address("192.0.2.7"), 9)


def test_a_health_check_is_for_nobody() -> None:
    assert parse(LOCAL) is None and build(None) == LOCAL
    assert parse(SIGNATURE + b"\x20\x11\x00\x0c" + V4[16:]) is None
    assert parse(SIGNATURE + b"\x20\x00\x00\x03abc") is None


def test_extras_are_passed_over_and_must_be_whole() -> None:
    for extras, fine in (
        (b"\x04\0\3abc", True),
        (b"\x04\0\0" * 600, True),
        (b"\x04\0\4abc", False),
        (b"\x04", False),
    ):
        data = build(parse(V4), Proxied(IPv4Address("198.51.100.10"), 443), extras)
        if fine:
            assert parse(data) == parse(V4)
        else:
            with pytest.raises(WireError):
                parse(data)


def test_how_much_is_missing() -> None:
    assert missing(b"") == FIXED
    assert [missing(V4[:at]) for at in (1, 15, 16, 27, 28)] == [15, 1, 12, 1, 0]
    assert missing(V4 + b"\x16") == -1


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01",  # TLS
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"GET / HTTP/1.1\r\n",
        SIGNATURE[:11] + b"\x0b",
        SIGNATURE + b"\x11",  # another version
        SIGNATURE + b"\x22",  # another command
        SIGNATURE + b"\x21\x11" + (MAX_BODY + 1).to_bytes(2, "big"),
        SIGNATURE + b"\x21\x00\x00\x00",  # unspecified
        SIGNATURE + b"\x21\x12\x00\x0c" + V4[16:],  # UDP
        SIGNATURE + b"\x21\x31\x00\xd8" + bytes(216),  # Unix
        SIGNATURE + b"\x21\x11\x00\x0b" + V4[16:27],
        SIGNATURE + b"\x21\x21\x00\x0c" + V4[16:],
        SIGNATURE + b"\x21\x11\x00\x0c" + bytes(4) + V4[20:],
        SIGNATURE + b"\x21\x11\x00\x0c" + b"\xe0" + V4[17:],
        SIGNATURE + b"\x21\x11\x00\x0c" + V4[16:24] + bytes(2) + V4[26:],  # port 0
        V4 + b"\x16",
        V4[:20],
        b"",
    ],
)
def test_what_is_no_header(data: bytes) -> None:
    with pytest.raises(WireError):
        parse(data)


def test_how_a_stranger_s_header_begins() -> None:
    assert begins(V4) and begins(V4[:1]) and begins(LOCAL) and begins(b"PROXY TCP4")
    assert not any(map(begins, (b"", b"\x16\x03\x01", b"POST /IPHTTPS", b"\r\n\r\n\r")))
    assert proxy.FIXED == 16
