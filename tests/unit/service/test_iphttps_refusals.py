"""Refusals: every one is counted, few are told."""

from __future__ import annotations

import pytest

from manageout.protocol.drops import Drop
from manageout.service.iphttps_refusals import Refusals


def test_all_are_counted_and_the_log_has_a_budget(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    refusals = Refusals()
    for _ in range(1000):
        refusals.tell(Drop.TLS_FAILED, "192.0.2.1", "192.0.2.1", "not TLS")
    assert refusals.totals == {Drop.TLS_FAILED: 1000}
    assert [(row.source, row.times) for row in refusals.by_source()] == [(b"192.0.2.1", 1000)]
    assert 0 < len(caplog.messages) < 50
    assert caplog.messages[0] == "client 192.0.2.1 refused: not TLS"
