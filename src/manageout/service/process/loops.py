"""Event loops: the kind that the process uses, one in a thread of its own, and when a machine wants to be called."""

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Protocol, TypeVar, TypeVarTuple

from manageout.errors import ManageoutError


class Monitor(Protocol):
    """Something of the kernel's that tells of changes."""

    def fileno(self) -> int: ...
    def close(self) -> None: ...


_Ts = TypeVarTuple("_Ts")
_Monitor = TypeVar("_Monitor", bound=Monitor)

YIELD = 0.0001
"""Seconds for which one thread may keep another from running Python. The default, 5 ms, is what a packet would wait."""
NICE = 10
"""Such a thread gives way to the one with the packets, but is not starved by it where there is one processor."""
PATIENCE = 10.0
"""Seconds that a thread gets to finish what it is about."""
SETTLED = 1.0
"""Seconds that the packets' loop waits for it at most."""


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop if it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


@contextlib.contextmanager
def heard(monitor: _Monitor, told: Callable[[_Monitor], None]) -> Iterator[None]:
    """Call ``told`` in this loop whenever ``monitor`` has something; at the end close it."""
    loop = asyncio.get_running_loop()
    loop.add_reader(monitor.fileno(), told, monitor)
    try:
        yield
    finally:
        loop.remove_reader(monitor.fileno())
        monitor.close()


async def woken(event: asyncio.Event, patience: float | None) -> bool:
    """Whether ``event`` is set within ``patience`` seconds; None: however long that takes.

    Not wait_for: before Python 3.12 it forgets a cancellation that comes together with the event.
    """
    try:
        async with asyncio.timeout(patience):
            return await event.wait()
    except TimeoutError:
        return False


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run ``main`` on uvloop if it is installed; the first failure of a task comes out by itself."""
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(main)
    except BaseExceptionGroup as group:
        failures = list(_leaves(group))
        for failure in failures:
            if isinstance(failure, ManageoutError):
                raise failure from None
        raise failures[0] from None


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


class LoopThread:
    """An event loop in a thread of its own, beside the running one, which makes it and is told things by it."""

    def __init__(self, name: str) -> None:
        sys.setswitchinterval(YIELD)
        self._asked: float | None = None
        """Since when a question to it waits for an answer."""
        self._outer = asyncio.get_running_loop()
        self._inner = loop_factory()()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)  # in Linux: of this thread
        self._inner.run_forever()

    def call(self, function: Callable[[*_Ts], object], *arguments: *_Ts) -> None:
        """Have the thread do something soon; nothing once it was stopped."""
        if not self._inner.is_closed():
            self._inner.call_soon_threadsafe(function, *arguments)

    def settle(self) -> None:
        """Wait until the thread has done what it was told before, where others must find it done."""
        done = threading.Event()
        self.call(done.set)
        done.wait(SETTLED)

    def tell(self, function: Callable[[*_Ts], object], *arguments: *_Ts) -> None:
        """From the thread: have the outer loop do something soon."""
        if not self._outer.is_closed():
            self._outer.call_soon_threadsafe(function, *arguments)

    def silent_for(self) -> float:
        """Seconds that the thread has been doing one thing, or nothing any more. Ask every few seconds."""
        now, asked = time.monotonic(), self._asked  # read once: the answer may come at any moment
        if asked is None:
            self._asked = asked = now
            self.call(self._answer)
        return now - asked

    def _answer(self) -> None:
        self._asked = None

    def stop(self) -> None:
        """After all that it was told to do; waits for it."""
        self.call(self._inner.stop)
        self._thread.join(PATIENCE)
        if not self._thread.is_alive():
            self._inner.close()


class Timer:
    """Calls ``action`` once at the time that :meth:`at` was told last, by :func:`time.monotonic`."""

    def __init__(self, action: Callable[[], object]) -> None:
        self._action = action
        self._due: float | None = None
        self._handle: asyncio.TimerHandle | None = None

    def at(self, due: float | None) -> None:
        """Call then; a time that has passed means at once, None not at all."""
        if due == self._due:
            return
        self.cancel()
        if due is not None:
            self._due = due
            delay = max(0.0, due - time.monotonic())
            self._handle = asyncio.get_running_loop().call_later(delay, self._call)

    def cancel(self) -> None:
        """Not at all."""
        if self._handle is not None:
            self._handle.cancel()
        self._due = self._handle = None

    def _call(self) -> None:
        self._due = self._handle = None
        self._action()
