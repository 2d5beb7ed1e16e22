"""The wall clock against the monotonic one."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from manageout.service.process.clock import SHOWN_FOR, SteadyClock
from tests.unit.service.leases.test_keeper import LAPTOP, TABLET, A, B, Scene


class Clocks:
    def __init__(self) -> None:
        self.passed, self.set = 0.0, 0.0
        self.clock = SteadyClock(lambda: 1e9 + self.passed + self.set, lambda: self.passed)


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


@pytest.mark.parametrize("jump", [1e6, -1e6])
def test_grace_goes_with_a_clock_that_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    real, offset = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + offset[0])

    async def run() -> None:
        scene = Scene(tmp_path)
        scene.make("grace = 600")
        scene.keeper._clock = SteadyClock(time.time)
        async with scene.running():
            scene.arrive(1, LAPTOP, A)
            await scene.quiet()
            scene.keeper.closed(1)
            await scene.quiet()
            offset[0] = jump
            scene.arrive(2, TABLET, B)
            await scene.quiet()
            assert {name: state for name, _, state in scene.rows()} == {LAPTOP: "grace", TABLET: "held"}
            timer = scene.keeper.allotment.table.timer() if scene.keeper.allotment.table else None
            assert timer is not None and 590 < timer - time.time() <= 600

    asyncio.run(run())
