"""A loop in a thread: both sides can have the other do something."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable

import pytest

from manageout.service.process.loops import LoopThread, Timer, heard, loop_factory, woken
from tests.tools.waiting import until


def test_words_go_both_ways() -> None:
    async def main() -> str:
        thread = LoopThread("beside")
        heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        thread.call(lambda: thread.tell(heard.set_result, threading.current_thread().name))
        try:
            return await asyncio.wait_for(heard, 10)
        finally:
            thread.stop()
            thread.call(heard.cancel)  # nothing happens any more

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        assert runner.run(main()) == "beside"
    assert "beside" not in [thread.name for thread in threading.enumerate()]


def test_a_thread_that_stands_still_is_noticed() -> None:
    async def main() -> None:
        thread = LoopThread("stuck")
        go_on = threading.Event()
        thread.call(go_on.wait)
        assert thread.silent_for() == 0  # it was only just asked
        await asyncio.sleep(0.05)
        assert thread.silent_for() >= 0.04  # two clocks
        go_on.set()
        thread.stop()
        assert thread.silent_for() == 0

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main())


def test_a_thread_that_answers_before_the_question_is_out_has_not_been_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        thread = LoopThread("quick")
        ask = thread.call

        def and_wait(function: Callable[[], object]) -> None:
            ask(function)
            done = threading.Event()
            ask(done.set)
            assert done.wait(10)

        with monkeypatch.context() as patched:
            patched.setattr(thread, "call", and_wait)
            assert thread.silent_for() == 0
        thread.stop()

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main())


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


def test_a_monitor_is_heard_until_the_end_and_closed() -> None:
    ours, theirs = socket.socketpair()
    heard_of = []

    def told(monitor: socket.socket) -> None:
        heard_of.append(monitor.recv(16))

    async def main() -> None:
        with heard(ours, told):
            theirs.send(b"a change")
            await until(lambda: heard_of)
        assert ours.fileno() < 0

    with theirs:
        asyncio.run(main())
    assert heard_of == [b"a change"]


def test_who_waits_for_an_event_hears_whether_it_came_and_can_be_cancelled() -> None:
    async def main() -> None:
        event = asyncio.Event()
        assert not await woken(event, 0.01)
        event.set()
        assert await woken(event, 0.01) and await woken(event, None)
        event.clear()
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(woken(event, None))
            await asyncio.sleep(0)
            event.set()
            waiting.cancel()
        assert waiting.cancelled()

    asyncio.run(main())
