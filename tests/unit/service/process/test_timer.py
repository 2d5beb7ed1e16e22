"""A timer that follows what its machine says."""

from __future__ import annotations

import asyncio
import time

from manageout.service.process.timer import Timer


def test_it_calls_once_at_the_time_told_last() -> None:
    async def run() -> int:
        called, calls = asyncio.Event(), []

        def action() -> None:
            calls.append(time.monotonic())
            called.set()

        timer = Timer(action)
        now = time.monotonic()
        timer.at(now + 3600)
        timer.at(now + 3600)
        timer.at(now - 1)  # passed: at once
        await asyncio.wait_for(called.wait(), 10)
        await asyncio.sleep(0.01)
        return len(calls)

    assert asyncio.run(run()) == 1


def test_the_same_time_again_is_another_call() -> None:
    async def run() -> None:
        due, third, calls = time.monotonic() - 1, asyncio.Event(), []

        def action() -> None:
            calls.append(due)
            if len(calls) < 3:
                timer.at(due)
            else:
                third.set()

        timer = Timer(action)
        timer.at(due)
        await asyncio.wait_for(third.wait(), 10)

    asyncio.run(run())


def test_what_is_cancelled_or_not_wanted_any_more_is_not_called() -> None:
    async def run() -> list[str]:
        calls: list[str] = []
        cancelled, unwanted = Timer(lambda: calls.append("one")), Timer(lambda: calls.append("two"))
        for timer in (cancelled, unwanted):
            timer.at(time.monotonic())
        cancelled.cancel()
        unwanted.at(None)
        await asyncio.sleep(0.02)
        return calls

    assert asyncio.run(run()) == []
