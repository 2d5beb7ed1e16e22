"""Waiting inside an event loop; outside of one ``manageout.lab.process.wait_until`` does it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from manageout.lab.network import PATIENCE


async def until(condition: Callable[[], object], seconds: float = 20.0, *, in_a_thread: bool = False) -> None:
    """Let the loop run until ``condition`` is true; ``in_a_thread`` one that waits itself, for a server's answer."""
    async with asyncio.timeout(seconds * PATIENCE):
        while not (await asyncio.to_thread(condition) if in_a_thread else condition()):  # noqa: ASYNC110 - of others
            await asyncio.sleep(0.01)
