"""Reading in order, and never past the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from manageout.errors import WireError
from manageout.wire.cursor import Cursor

DATA = bytes(range(1, 20))


@pytest.mark.parametrize("data", [DATA, memoryview(DATA)])
def test_reads_in_order(data: bytes | memoryview) -> None:
    cursor = Cursor(data)
    assert (cursor.u8(), cursor.u16(), cursor.take(12)) == (1, 0x0203, DATA[3:15])
    assert cursor.remaining == 4
    cursor.skip(1)
    assert cursor.take(1) == b"\x11"
    assert cursor.rest() == b"\x12\x13"
    assert cursor.rest() == b""
    assert cursor.remaining == 0


def test_a_sub_cursor_ends_where_it_should() -> None:
    cursor = Cursor(DATA)
    inner = cursor.sub(2)
    assert inner.u16() == 0x0102
    assert cursor.u8() == 3
    with pytest.raises(WireError, match="truncated packet: 1 bytes wanted, 0 left"):
        inner.u8()


READS: list[Callable[[Cursor], object]] = [
    Cursor.u8,
    Cursor.u16,
    lambda cursor: cursor.take(1),
    lambda cursor: cursor.skip(1),
    lambda cursor: cursor.sub(1),
    lambda cursor: cursor.take(-1),
]


@pytest.mark.parametrize("read", READS)
def test_past_the_end_there_is_only_our_error(read: Callable[[Cursor], object]) -> None:
    with pytest.raises(WireError, match="truncated option"):
        read(Cursor(b"", "option"))


def test_a_failed_read_moves_nothing() -> None:
    cursor = Cursor(b"\x01")
    with pytest.raises(WireError):
        cursor.u16()
    assert cursor.u8() == 1
