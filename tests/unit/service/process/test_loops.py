"""A loop in a thread: both sides can have the other do something."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from manageout.service.process.loops import LoopThread, loop_factory


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
