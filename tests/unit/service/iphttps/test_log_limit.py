"""The log's budgets: strangers by source, clients by name."""

from __future__ import annotations

import pytest

from manageout.service.iphttps.log_limit import LimitedLog


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
