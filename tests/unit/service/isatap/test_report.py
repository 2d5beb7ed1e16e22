"""Rows of drops and hosts; the fast path's share is tested in namespaces (``system/service/isatap/test_join.py``)."""

from __future__ import annotations

from manageout.protocol.core.drop_table import DropTable
from manageout.protocol.core.drops import Drop
from manageout.protocol.isatap.registry import U_BIT, HostRecord
from manageout.service.isatap.report import drop_rows, drop_totals
from manageout.service.state.host_file import host_row

A = b"\x0a\0\0\1"


def test_drops_by_reason_and_source() -> None:
    table = DropTable(9)
    table.count(Drop.LOOP, A, 5.0, 3)
    table.count(Drop.NO_NEIGHBOUR, b"", 6.0)
    assert drop_rows(table, None, 1000.0) == [
        {"reason": "no-neighbour", "source": "", "count": 1, "last": 1006.0},
        {"reason": "loop", "source": "10.0.0.1", "count": 3, "last": 1005.0},
    ]
    assert drop_totals(table, None) == {"loop": 3, "no-neighbour": 1}


def test_a_host() -> None:
    record = HostRecord(A, U_BIT, 1, 2, 3, 4, 5, 6, 7, "a.example", 8)
    assert host_row(record, bytes.fromhex("fd123456789a0001"), True) == {
        "ipv4": "10.0.0.1",
        "ipv6": "fd12:3456:789a:1:200:5efe:a00:1",
        "name": "a.example",
        "first_seen": 1,
        "last_rs": 2,
        "last_packet": 3,
        "rx_packets": 4,
        "rx_bytes": 5,
        "tx_packets": 6,
        "tx_bytes": 7,
        "retires": True,
    }
