"""Putting fragments together: any order, and every bound."""

from __future__ import annotations

from itertools import permutations

import pytest

from manageout.protocol.core.drops import Drop
from manageout.protocol.translate.fragments import (
    LARGEST,
    MAX_BYTES,
    MAX_DATAGRAMS,
    MAX_PER_SOURCE,
    MAX_PIECES,
    TIMEOUT,
    Fragments,
)

PIECES = [(0, True, b"a" * 16), (16, True, b"b" * 8), (24, False, b"c" * 3)]
SOURCE = b"\1\2\3\4"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_rfc6146_4_any_order(order: tuple[int, ...]) -> None:
    fragments = Fragments()
    found = [fragments.add("key", SOURCE, *PIECES[number], 0.0) for number in order]
    assert found == [None, None, b"a" * 16 + b"b" * 8 + b"c" * 3]
    assert fragments.timer() is None and fragments.held == 0


def test_a_duplicate_changes_nothing() -> None:
    fragments = Fragments()
    assert (
        fragments.add("key", SOURCE, *PIECES[0], 0.0) is None is fragments.add("key", SOURCE, *PIECES[0], 0.0)
    )
    assert fragments.held == 16


@pytest.mark.parametrize(
    "other", [(8, True, b"x" * 8), (0, True, b"x" * 24), (0, False, b"x" * 8), (8, True, b"x" * 16)]
)
def test_rfc5722_overlap_throws_the_datagram_away(other: tuple[int, bool, bytes]) -> None:
    fragments = Fragments()
    fragments.add("key", SOURCE, *PIECES[0], 0.0)
    assert fragments.add("key", SOURCE, *other, 0.0) is Drop.FRAGMENT_OVERLAP
    assert "key" not in fragments and fragments.held == 0


@pytest.mark.parametrize("other", [(40, True, b"x" * 8), (48, False, b"x"), (8, False, b"x" * 8)])
def test_two_ends_or_data_behind_the_end(other: tuple[int, bool, bytes]) -> None:
    fragments = Fragments()
    fragments.add("key", SOURCE, 24, False, b"end", 0.0)
    assert fragments.add("key", SOURCE, *other, 0.0) is Drop.FRAGMENT_OVERLAP


@pytest.mark.parametrize(
    ("offset", "more", "size"), [(0, True, 7), (0, True, 0), (LARGEST - 7, False, 8), (LARGEST, True, 8)]
)
def test_impossible_fragments(offset: int, more: bool, size: int) -> None:
    assert Fragments().add("key", SOURCE, offset, more, bytes(size), 0.0) is Drop.MALFORMED


def test_time_out() -> None:
    fragments = Fragments()
    assert fragments.timer() is None
    fragments.add("one", SOURCE, *PIECES[0], 5.0)
    fragments.add("two", SOURCE, *PIECES[0], 6.0)
    assert fragments.timer() == 5.0 + TIMEOUT
    assert fragments.expire(5.0 + TIMEOUT) == 1 and "two" in fragments
    assert fragments.expire(6.0 + TIMEOUT) == 1 and fragments.held == 0


def test_a_source_has_its_share() -> None:
    fragments = Fragments()
    for number in range(MAX_PER_SOURCE):
        assert fragments.add(number, SOURCE, *PIECES[0], 0.0) is None
    assert fragments.add("more", SOURCE, *PIECES[0], 0.0) is Drop.FRAGMENTS_FULL
    assert fragments.add("other", b"else", *PIECES[0], 0.0) is None


def test_bounds_of_all() -> None:
    fragments = Fragments()
    for number in range(MAX_DATAGRAMS):
        assert fragments.add(number, bytes((number,)), *PIECES[0], 0.0) is None
    assert fragments.add("more", SOURCE, *PIECES[0], 0.0) is Drop.FRAGMENTS_FULL


def test_bounds_of_bytes_and_pieces() -> None:
    fragments = Fragments()
    held = 0
    while fragments.add(held, held.to_bytes(4, "big"), 0, True, bytes(65480), 0.0) is None:
        held += 1
    assert held == MAX_BYTES // 65480
    many = Fragments()
    results = [many.add("key", SOURCE, 8 * number, True, bytes(8), 0.0) for number in range(MAX_PIECES + 1)]
    assert results[-1] is Drop.FRAGMENTS_FULL and results[-2] is None and many.held == 0
