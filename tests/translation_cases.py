"""Packets with what must become of them, each through every speed: worked out by hand and from the RFCs.

All of one small site: prefix fd00:64::/96, the translator is 10.0.0.1 and fd00::1, and fd00:1::5 holds 10.0.0.130.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

from manageout.protocol.drops import Drop
from manageout.protocol.mappings import Mappings
from manageout.protocol.translator import Translator

CLIENT, LEASE = IPv6Address("fd00:1::5").packed, IPv4Address("10.0.0.130").packed
SERVER, SERVER4 = IPv6Address("fd00:64::10.0.0.20").packed, IPv4Address("10.0.0.20").packed


class Case(NamedTuple):
    """A packet (hex), the reason for which it is dropped (None: it is not), and the error or packet that goes out."""

    what: str
    packet: str
    reason: Drop | None = None
    out: str = ""


def mappings() -> Mappings:
    """The site."""
    maps = Mappings(
        IPv6Network("fd00:64::/96"),
        own4=IPv4Address("10.0.0.1").packed,
        own6=IPv6Address("fd00::1").packed,
        pool=IPv4Network("10.0.0.128/26"),
    )
    maps.set_lease(CLIENT, LEASE)
    return maps


def translator() -> Translator:
    """Over it."""
    return Translator(mappings(), random=lambda: 0.0)


CASES = [
    Case(
        "6 to 4, destination 169.254.169.254",
        (
            "60000000000c1140fd000001000000000000000000000005fd0000640000000000000000a9fea9fe"
            "03e807d0000ce0ee61626364"
        ),
        Drop.DESTINATION_ILLEGAL,
    ),
    Case(
        "4 to 6, source 169.254.7.7",
        ("45000020000000004011bf46a9fe07070a00008200010002000c7f8561626364"),
        Drop.SOURCE_ILLEGAL,
    ),
    Case(
        "Destination Options behind a Fragment header",
        (
            "60000000001c2c40fd000001000000000000000000000005fd00006400000000000000000a000014"
            "3c00000100000001110001020000000003e807d0000c2ad861626364"
        ),
        Drop.FRAGMENT_CHAIN,
        (
            "60000000004c3a40fd000000000000000000000000000001fd000001000000000000000000000005"
            "01012a2c0000000060000000001c2c40fd000001000000000000000000000005fd00006400000000"
            "000000000a0000143c00000100000001110001020000000003e807d0000c2ad861626364"
        ),
    ),
    Case(
        "Authentication Header behind a Fragment header",
        (
            "60000000002c2c40fd000001000000000000000000000005fd00006400000000000000000a000014"
            "330000000000000111040000000000010000000100000000000000000000000003e807d0000c2ad8"
            "61626364"
        ),
        Drop.FRAGMENT_CHAIN,
        (
            "60000000005c3a40fd000000000000000000000000000001fd000001000000000000000000000005"
            "010134090000000060000000002c2c40fd000001000000000000000000000005fd00006400000000"
            "000000000a0000143300000000000001110400000000000100000001000000000000000000000000"
            "03e807d0000c2ad861626364"
        ),
    ),
    Case(
        "next header 1",
        ("6000000000080140fd000001000000000000000000000005fd00006400000000000000000a0000140800000000000000"),
        Drop.PROTOCOL_FORBIDDEN,
        (
            "6000000000383a40fd000000000000000000000000000001fd000001000000000000000000000005"
            "010196bb000000006000000000080140fd000001000000000000000000000005fd00006400000000"
            "000000000a0000140800000000000000"
        ),
    ),
    Case(
        "next header 2",
        ("6000000000080240fd000001000000000000000000000005fd00006400000000000000000a0000141600000000000000"),
        Drop.PROTOCOL_FORBIDDEN,
        (
            "6000000000383a40fd000000000000000000000000000001fd000001000000000000000000000005"
            "010187bb000000006000000000080240fd000001000000000000000000000005fd00006400000000"
            "000000000a0000141600000000000000"
        ),
    ),
    Case(
        "error that quotes IPv4 protocol 0",
        (
            "4500004000000000400166280a0000140a0000820301fcfe0000000045000024000000003c006a45"
            "0a0000820a00001400000000000000000000000000000000"
        ),
        Drop.QUOTE_MALFORMED,
    ),
    Case(
        "error that quotes IPv4 protocol 2",
        (
            "4500004000000000400166280a0000140a0000820301fcfe0000000045000024000000003c026a43"
            "0a0000820a00001400000000000000000000000000000000"
        ),
        Drop.QUOTE_MALFORMED,
    ),
    Case(
        "error that quotes IPv4 protocol 43",
        (
            "4500004000000000400166280a0000140a0000820301fcfe0000000045000024000000003c2b6a1a"
            "0a0000820a00001400000000000000000000000000000000"
        ),
        Drop.QUOTE_MALFORMED,
    ),
    Case(
        "error that quotes IPv4 protocol 44",
        (
            "4500004000000000400166280a0000140a0000820301fcfe0000000045000024000000003c2c6a19"
            "0a0000820a00001400000000000000000000000000000000"
        ),
        Drop.QUOTE_MALFORMED,
    ),
    Case(
        "error that quotes IPv4 protocol 58",
        (
            "4500004000000000400166280a0000140a0000820301fcfe0000000045000024000000003c3a6a0b"
            "0a0000820a00001400000000000000000000000000000000"
        ),
        Drop.QUOTE_MALFORMED,
    ),
    Case(
        "error that quotes IPv4 protocol 60",
        (
            "4500004000000000400166280a0000140a0000820301fcfe0000000045000024000000003c3c6a09"
            "0a0000820a00001400000000000000000000000000000000"
        ),
        Drop.QUOTE_MALFORMED,
    ),
    Case(
        "error that quotes IPv4 protocol 135",
        (
            "4500004000000000400166280a0000140a0000820301fcfe0000000045000024000000003c8769be"
            "0a0000820a00001400000000000000000000000000000000"
        ),
        Drop.QUOTE_MALFORMED,
    ),
    Case(
        "error that quotes IPv6 next header 1",
        (
            "6000000000403a40fd000001000000000000000000000005fd00006400000000000000000a000014"
            "01009435000000006000000000100140fd00006400000000000000000a000014fd00000100000000"
            "000000000000000500000000000000000000000000000000"
        ),
        Drop.QUOTE_MALFORMED,
    ),
    Case(
        "error that quotes IPv6 next header 2",
        (
            "6000000000403a40fd000001000000000000000000000005fd00006400000000000000000a000014"
            "01009335000000006000000000100240fd00006400000000000000000a000014fd00000100000000"
            "000000000000000500000000000000000000000000000000"
        ),
        Drop.QUOTE_MALFORMED,
    ),
    Case(
        "error that quotes source 127.0.0.1",
        (
            "4500004000000000400166280a0000140a0000820301fcfe0000000045000024000000004011f1b4"
            "7f0000010a00001400000000000000000000000000000000"
        ),
        Drop.QUOTE_MALFORMED,
    ),
    Case(
        "error that quotes destination 127.0.0.1",
        (
            "4500004000000000400166280a0000140a0000820301fcfe0000000045000024000000004011f146"
            "0a0000827f00000100000000000000000000000000000000"
        ),
        Drop.QUOTE_MALFORMED,
    ),
]
