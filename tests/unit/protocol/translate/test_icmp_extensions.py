"""RFC 4884 lengths, and the RFC 5837 object as its section 4 draws it."""

from __future__ import annotations

import pytest

from manageout.protocol.translate.icmp_extensions import join, split, with_interface
from manageout.wire.checksum import checksum

EXTENSION = bytes.fromhex("20001a300008010161626364")
QUOTE = bytes(range(128))


def test_split() -> None:
    assert split(QUOTE + EXTENSION, 128, 20) == (QUOTE, EXTENSION)


@pytest.mark.parametrize("version", [0, 1, 3, 15])
def test_rfc4884_4_an_extension_of_another_version_is_one(version: int) -> None:
    extension = bytes((version << 4, 0, 0, 0)) + bytes(8)
    assert split(QUOTE + extension, 128, 20) == (QUOTE, extension)


@pytest.mark.parametrize("length", [0, 140, 144, 1020])
def test_rfc4884_5_5_without_an_extension_all_is_quotation(length: int) -> None:
    body = QUOTE + EXTENSION[:11] + b"?"  # its checksum is wrong
    assert split(body, length, 20) == (body, b"")


@pytest.mark.parametrize("length", [0, 4, 28, 68, 124])
def test_rfc4884_5_5_behind_128_bytes_whatever_the_length_says(length: int) -> None:
    """0 from routers older than RFC 4884; 68 as seen from one that does not count its filling."""
    assert split(QUOTE + EXTENSION, length, 20) == (QUOTE, EXTENSION)


def test_a_short_quotation_that_is_not_filled_up() -> None:
    body = QUOTE[:124] + EXTENSION
    assert split(body, 124, 20) == (QUOTE[:124], EXTENSION)
    assert split(body, 16, 20) == (body, b""), "no room for a header"


@pytest.mark.parametrize(
    ("size", "unit", "words"), [(20, 4, 32), (20, 8, 16), (130, 4, 33), (130, 8, 17), (999, 4, 137)]
)
def test_join(size: int, unit: int, words: int) -> None:
    quote = bytes(range(256)) * 4
    body, length = join(quote[:size], EXTENSION, 560, unit)
    assert length == words and body[length * unit :] == EXTENSION
    assert len(body) <= 560 and body.startswith(quote[: min(size, length * unit)])


def test_no_room_for_an_extension() -> None:
    assert join(QUOTE, EXTENSION, 139, 4) == (QUOTE, 0)
    assert join(QUOTE * 3, b"", 200, 4) == ((QUOTE * 3)[:200], 0)


def test_rfc5837_4_1_interface_information() -> None:
    address = bytes(range(16))
    alone = with_interface(b"", address)
    assert alone[0] == 0x20 and checksum(alone) == 0
    assert alone[4:] == bytes.fromhex("0018020400020000") + address
    both = with_interface(EXTENSION, address)
    assert both[4:] == EXTENSION[4:] + alone[4:] and checksum(both) == 0


ADDED = with_interface(b"", bytes(16))[4:]
ANOTHER_ROLE = bytes.fromhex("0018024400020000") + bytes(16)


@pytest.mark.parametrize(
    "extension",
    [
        bytes.fromhex("1000efff0008010161626364"),  # another version
        bytes.fromhex("20001a310008010161626364"),  # wrong checksum
        bytes.fromhex("200000000009010161626364"),  # an object that is cut off
        bytes.fromhex("2000000000030101"),
        bytes.fromhex("20000000000801"),
        bytes.fromhex("2000") + bytes(2) + ADDED,  # has one already
    ],
)
def test_rfc4884_8_what_cannot_take_an_object_stays_as_it_is(extension: bytes) -> None:
    assert with_interface(extension, bytes(16)) == extension


@pytest.mark.parametrize("objects", [b"", EXTENSION[4:], ANOTHER_ROLE])
def test_rfc4884_8_without_a_checksum_it_can(objects: bytes) -> None:
    added = with_interface(bytes.fromhex("20000000") + objects, bytes(16))
    assert added[4:] == objects + ADDED and checksum(added) == 0
