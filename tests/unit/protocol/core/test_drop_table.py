"""Counts of drops: exact totals, bounded sources."""

from __future__ import annotations

from manageout.protocol.core.drop_table import DropTable, SourceDrops
from manageout.protocol.core.drops import Drop

A, B, C = b"\x0a\0\0\1", b"\x0a\0\0\2", b"\x0a\0\0\3"


def test_totals_are_exact_and_sources_bounded() -> None:
    table = DropTable(2)
    table.count(Drop.LOOP, A, 1.0)
    table.count(Drop.LOOP, B, 2.0)
    table.count(Drop.LOOP, A, 3.0, times=4)
    table.count(Drop.ECN, C, 4.0)
    assert table.totals == {Drop.LOOP: 6, Drop.ECN: 1}
    assert table.by_source() == [SourceDrops(Drop.ECN, C, 1, 4.0), SourceDrops(Drop.LOOP, A, 5, 3.0)]


def test_many_sources_leave_the_last() -> None:
    table = DropTable(16)
    for number in range(10_000):
        table.count(Drop.HOST_NOT_ALLOWED, number.to_bytes(4, "big"), float(number))
    assert len(table.by_source()) == 16
    assert table.totals[Drop.HOST_NOT_ALLOWED] == 10_000
