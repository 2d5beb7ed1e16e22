"""A TUN device on the loop: who reads it, its timer, and the error that ends it (the device was removed)."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Self

from manageout.errors import ManageoutError
from manageout.linux.packets.tun import Tun
from manageout.service.process.loops import Timer

CHECK = 1.0
"""Seconds between looks at whether the device is still there."""


class TunLink:
    """Serves ``tun`` from ``with`` to its end; errors of callbacks end :meth:`failure`."""

    def __init__(self, tun: Tun, on_timer: Callable[[], None]) -> None:
        self.tun = tun
        self.timer = Timer(partial(self._guarded, on_timer))
        self._readers: list[int] = []
        self._failed: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._failed = self._loop.create_future()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop_reading()
        self.timer.cancel()

    def read(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Call when there is something."""
        self._readers.append(descriptor)
        self._loop.add_reader(descriptor, self._guarded, callback)

    async def failure(self) -> None:
        """Wait for the error that ends the link, and raise it."""
        assert self._failed is not None, "inside the with block"
        while not self._failed.done():
            self._guarded(self.tun.require)
            await asyncio.wait({self._failed}, timeout=CHECK)
        self._failed.result()

    def _guarded(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except ManageoutError as error:
            self._stop_reading()
            if self._failed is not None and not self._failed.done():
                self._failed.set_exception(error)
                self._failed.exception()  # told to whoever waits; without that asyncio would complain

    def _stop_reading(self) -> None:
        while self._readers:
            self._loop.remove_reader(self._readers.pop())
