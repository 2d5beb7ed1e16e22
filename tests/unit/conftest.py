"""A control socket with canned answers, served as the daemon serves it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from manageout.service.process.control import ControlServer

Serve = Callable[[dict[str, object]], Path]


@contextmanager
def serving(directory: Path, answers: dict[str, object]) -> Iterator[Path]:
    handlers = {command: (lambda answer=answer: answer) for command, answer in answers.items()}
    ready, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        async with ControlServer(directory / "control.sock", handlers):
            loops.append(asyncio.get_running_loop())
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield directory
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(10)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """``serve({"hosts": [...]})`` -> the runtime directory of a process that answers so."""
    with ExitStack() as stack:
        yield lambda answers: stack.enter_context(serving(tmp_path, answers))
