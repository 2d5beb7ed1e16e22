"""Refusals: every one is counted, few are told."""

from __future__ import annotations

import pytest

from manageout.protocol.core.drops import Drop
from manageout.service.iphttps import report
from manageout.service.iphttps.refusals import MAX_CERTIFICATES, LimitedLog, Refusals


def test_all_are_counted_and_the_log_has_a_budget(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    refusals = Refusals()
    for _ in range(1000):
        refusals.tell(Drop.TLS_FAILED, "192.0.2.1", "192.0.2.1", "not TLS")
    assert refusals.totals == {Drop.TLS_FAILED: 1000}
    assert [(row.source, row.times) for row in refusals.by_source()] == [(b"192.0.2.1", 1000)]
    assert 0 < len(caplog.messages) < 50
    assert caplog.messages[0] == "client 192.0.2.1 refused: not TLS"


def test_a_certificate_is_counted_and_told_by_what_it_calls_itself(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    refusals = Refusals()
    refusals.tell(Drop.CERTIFICATE_REVOKED, "192.0.2.1", "192.0.2.1", "revoked", "laptop, serial 1f")
    assert caplog.messages == ["client 192.0.2.1 refused: revoked (laptop, serial 1f)"]
    row, source = report.refusals(refusals)[0], "192.0.2.1"
    assert (row["source"], row["certificate"], row["count"]) == (source, "laptop, serial 1f", 1)


def test_many_certificates_hide_no_address_and_are_bounded() -> None:
    refusals = Refusals()
    refusals.count(Drop.TLS_FAILED, "192.0.2.1")
    for number in range(3 * MAX_CERTIFICATES):
        refusals.count(Drop.CERTIFICATE_INVALID, "192.0.2.9", f"x{number}, serial 1")
    assert refusals.totals[Drop.CERTIFICATE_INVALID] == 3 * MAX_CERTIFICATES
    rows = refusals.by_source()
    assert len(rows) == MAX_CERTIFICATES + 1 and rows[-1].source == b"192.0.2.1"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> LimitedLog:
    caplog.set_level("INFO")
    return LimitedLog()


def test_a_stranger_who_comes_and_goes_writes_a_few_lines(
    lines: LimitedLog, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1000):
        lines.say("192.0.2.1", None, f"{number} connected")
    assert caplog.messages[0] == "client 0 connected"
    assert len(caplog.messages) < 20
    for number in range(1000):
        lines.say(f"192.0.2.{number}", None, "x")
    assert len(caplog.messages) < 40
    assert any("more such lines before this one are not in the log" in line for line in caplog.messages)


def test_clients_behind_one_nat_all_have_their_lines(
    lines: LimitedLog, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(500):
        lines.say("192.0.2.1", f"laptop{number}", "connected")
    assert len(caplog.messages) == 500
    for _ in range(1000):
        lines.say("192.0.2.1", "laptop1", "connected")
    assert len(caplog.messages) < 520


def test_strangers_take_no_lines_from_clients(lines: LimitedLog, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(1000):
        lines.say(f"192.0.2.{number}", None, "x")
    before = len(caplog.messages)
    lines.say("192.0.2.1", "laptop", "connected")
    assert len(caplog.messages) == before + 1
