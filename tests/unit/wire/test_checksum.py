"""Checksums against the RFCs' own examples, against the definition, and at the two names of zero."""

from __future__ import annotations

from struct import pack

import pytest

from manageout.wire.checksum import (
    checksum,
    pseudo,
    sum16,
    transport_checksum,
)

# RFC 1071 3.
EXAMPLE = bytes.fromhex("0001f203f4f5f6f7")


def by_definition(data: bytes) -> int:
    total = 0
    padded = data + b"\0" * (len(data) % 2)
    for start in range(0, len(padded), 2):
        total += int.from_bytes(padded[start : start + 2], "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_rfc_1071_example() -> None:
    assert sum16(EXAMPLE) == 0xDDF2
    assert checksum(EXAMPLE) == 0x220D
    assert checksum(EXAMPLE + b"\x22\x0d") == 0


@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"\0\0", b"\xff\xff", b"\xff\xff\xff\xff", b"\xff\xfe\0\x01", b"\x01", b"\x12\x34\x56"],
)
def test_the_modulus_agrees_with_the_definition(data: bytes) -> None:
    assert sum16(data) == by_definition(data)


def test_zero_and_all_ones_stay_apart() -> None:
    assert checksum(b"") == 0xFFFF
    assert checksum(bytes(20)) == 0xFFFF
    assert checksum(b"\xff\xff") == 0


def test_takes_any_buffer() -> None:
    assert checksum(memoryview(EXAMPLE)) == checksum(bytearray(EXAMPLE)) == checksum(EXAMPLE)


def test_pseudo_headers_are_those_of_the_rfcs() -> None:
    source, target = bytes(range(16)), bytes(range(16, 32))
    header = source + target + pack("!I3xB", 0x12345, 58)
    assert checksum(b"ab", pseudo(source, target, 0x12345, 58)) == checksum(header + b"ab")
    header = source[:4] + target[:4] + pack("!xBH", 17, 1234)
    assert checksum(b"ab", pseudo(source[:4], target[:4], 1234, 17)) == checksum(header + b"ab")


def test_udp_never_says_that_it_has_no_checksum() -> None:
    """A sum of 0xffff gives 0, which means "none" in UDP alone."""
    for size in (16, 4):
        source = target = bytes(size)
        for protocol, wanted in ((17, 0xFFFF), (6, 0)):
            filler = 0xFFFF - sum16(pseudo(source, target, 2, protocol).to_bytes(8, "big"))
            assert transport_checksum(source, target, protocol, filler.to_bytes(2, "big")) == wanted
