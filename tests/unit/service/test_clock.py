"""The wall clock against the monotonic one."""

from __future__ import annotations

from manageout.service.clock import SHOWN_FOR, Clock


class Clocks:
    def __init__(self) -> None:
        self.passed, self.set = 0.0, 0.0
        self.clock = Clock(lambda: 1e9 + self.passed + self.set, lambda: self.passed)


def test_time_passes() -> None:
    clocks = Clocks()
    for _ in range(1000):
        clocks.passed += 3600
        assert clocks.clock.look() == 0.0
    assert clocks.clock.now() == 1e9 + clocks.passed and list(clocks.clock.findings()) == []


def test_a_small_correction_is_no_jump() -> None:
    clocks = Clocks()
    clocks.set = -3.0
    assert clocks.clock.look() == 0.0 and clocks.clock.now() == 1e9


def test_a_jump_is_told_for_a_day() -> None:
    clocks = Clocks()
    clocks.passed = 5.0
    clocks.set = 90 * 86400.0
    assert clocks.clock.now() == 1e9 + 5
    assert clocks.clock.look() == clocks.clock.ahead == 90 * 86400.0
    assert clocks.clock.look() == 0.0 and clocks.clock.now() == 1e9 + 5 + 90 * 86400
    (finding,) = clocks.clock.findings()
    assert finding.code == "CLOCK-JUMPED" and "ahead by 90 days, to 2001-12-08" in finding.what
    clocks.set = 0.0
    assert clocks.clock.look() == -90 * 86400.0 and clocks.clock.ahead == 90 * 86400.0
    (finding,) = clocks.clock.findings()
    assert "back by 90 days" in finding.what
    clocks.passed += SHOWN_FOR
    assert list(clocks.clock.findings()) == []
