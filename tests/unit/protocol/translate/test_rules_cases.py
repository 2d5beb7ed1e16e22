"""The cases through the slow path, and through the fast path's twin, which may leave them to it."""

from __future__ import annotations

import pytest

from manageout.protocol.core.drops import Verdict
from tests.tools.machines.translation import CASES, Case, translator


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_both_speeds(case: Case) -> None:
    packet, maker = bytes.fromhex(case.packet), translator()
    results = maker.to_ipv6(packet, 0.0) if packet[0] >> 4 == 4 else maker.to_ipv4(packet, 7, 0.0)
    if case.reason is None:
        assert "".join(result.packet.hex() for result in results) == case.out
    else:
        assert [result.reason for result in results] == [case.reason]
        assert (results[0].error or b"").hex() == case.out
    fast = maker.fast(packet, 7)
    assert fast.verdict is Verdict.SLOW or [fast] == results
