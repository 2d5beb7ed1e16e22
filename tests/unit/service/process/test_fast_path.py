"""Without programs; with them in ``system/service/process`` and ``system/service/isatap``."""

from __future__ import annotations

import time

import pytest

from manageout.errors import FastPathUnavailable
from manageout.linux.bpf.fast_path import FastPath
from manageout.protocol.core.drop_table import DropTable
from manageout.protocol.core.drops import Drop
from manageout.service.process.fast_path import RoleFastPath

A = b"\x0a\0\0\1"


def test_drops_by_reason_and_source() -> None:
    table = DropTable(9)
    fast: RoleFastPath[FastPath] = RoleFastPath("x", table, lambda: None)
    table.count(Drop.LOOP, A, 5.0, 3)
    table.count(Drop.LOOP, bytes(10) + b"\xff\xff" + A, 5.5)
    table.count(Drop.NO_NEIGHBOUR, b"", 6.0)
    offset = time.time() - time.monotonic()
    assert fast.drops() == [
        {"reason": "no-neighbour", "source": "", "count": 1, "last": pytest.approx(6.0 + offset, abs=1)},
        {
            "reason": "loop",
            "source": "::ffff:10.0.0.1",
            "count": 1,
            "last": pytest.approx(5.5 + offset, abs=1),
        },
        {"reason": "loop", "source": "10.0.0.1", "count": 3, "last": pytest.approx(5.0 + offset, abs=1)},
    ]
    assert fast.drop_totals() == {"loop": 4, "no-neighbour": 1}


def test_why_there_is_none() -> None:
    def refused() -> FastPath:
        raise FastPathUnavailable("no Ethernet device among lo", "nothing to mend")

    off: RoleFastPath[FastPath] = RoleFastPath("x", DropTable(9), lambda: None)
    off.attach()
    assert off.status() == {"on": False, "reason": "switched off by daemon.fast_path"}
    lacking = RoleFastPath("x", DropTable(9), refused)
    lacking.attach()
    assert lacking.status() == {"on": False, "reason": "no Ethernet device among lo"}
    assert not lacking.lost and lacking.findings() == []
