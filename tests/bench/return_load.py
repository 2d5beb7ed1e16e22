"""Many own clients that come back by themselves: ``python -m tests.bench.return_load PKI FIRST COUNT``.

Each is the product's machine and dialler, with a certificate of its own, and without a device: what it would give to
the kernel is dropped. Whenever all are up, or all were lost, a line says so with the monotonic time.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import sys
import time
from collections import Counter
from collections.abc import Callable

from manageout.errors import ConnectError
from manageout.protocol.iphttps import values as iphttps
from manageout.protocol.iphttps.client import IpHttpsClient
from manageout.protocol.iphttps.values import SERVER, ClientConfig, ConnectFault
from manageout.service.iphttps.dial import Dialer, GatewayUrl
from manageout.service.tls.stream import PLAIN, TlsStream
from tests.bench.leases_load import context
from tests.tools.places.iphttps import URL

failures: Counter[str] = Counter()
"""Since the last line: message -> how often."""
_plain = memoryview(bytearray(PLAIN))


class Remote:
    """One client."""

    def __init__(
        self, number: int, tls: ssl.SSLContext, group: asyncio.TaskGroup, told: Callable[[bool], None]
    ) -> None:
        self._tls, self._group, self._told = tls, group, told
        gateway = GatewayUrl.parse(URL)
        self._dialer = Dialer(gateway, None)
        own = number.to_bytes(8, "big", signed=False)
        config = ClientConfig(gateway.host, gateway.path, vnet_hdr=True)
        self._machine = IpHttpsClient(
            config, lambda prefix, tries: b"\x02" + own[1:7] + bytes((own[7], tries))[:1], random.random
        )
        self._stream: TlsStream | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._dial: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._machine.enable(time.monotonic())
        self._pump()

    async def _connect(self, wanted: iphttps.Connect) -> None:
        await asyncio.sleep(wanted.after)
        try:
            stream = await self._dialer.dial(self._tls, wanted.patience, wanted.talk)
        except ConnectError as error:
            self._dial = None
            fault = ConnectFault(error.windows_code)
            failures[error.message.partition(":")[2][-40:]] += 1
            self._machine.failed(fault, error.message, time.monotonic(), refused=error.refused)
        else:
            self._dial, self._stream = None, stream
            asyncio.get_running_loop().add_reader(stream, self._on_server)
            self._machine.connected(time.monotonic())
        self._pump()

    def _on_server(self) -> None:
        assert self._stream is not None
        try:
            size = self._stream.receive(_plain)
        except (EOFError, OSError) as error:
            self._hang_up()
            self._machine.closed(str(error), time.monotonic(), refused=isinstance(error, ssl.SSLError))
        else:
            self._machine.receive(_plain[:size], SERVER, time.monotonic())
        self._pump()

    def _hang_up(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            asyncio.get_running_loop().remove_reader(stream)
            stream.close()

    def _on_timer(self) -> None:
        self._machine.on_timer(time.monotonic())
        self._pump()

    def _pump(self) -> None:
        for destination, data in self._machine.transmit():
            if destination == SERVER and self._stream is not None:
                self._stream.send(data)
        for event in self._machine.events():
            if isinstance(event, iphttps.Connect):
                if self._dial is not None:
                    self._dial.cancel()
                self._dial = self._group.create_task(self._connect(event))
            elif isinstance(event, iphttps.Disconnect):
                self._hang_up()
            elif isinstance(event, iphttps.LinkUp | iphttps.LinkDown):
                self._told(isinstance(event, iphttps.LinkUp))
        if self._timer is not None:
            self._timer.cancel()
        due = self._machine.timer()
        delay = None if due is None else max(0.0, due - time.monotonic())
        loop = asyncio.get_running_loop()
        self._timer = None if delay is None else loop.call_later(delay, self._on_timer)


async def main(pki: str, first: int, count: int) -> None:
    """Until killed."""
    up = 0

    def told(rises: bool) -> None:
        nonlocal up
        up += 1 if rises else -1
        if up in (0, count):
            print(dict(failures), flush=True)
            failures.clear()
            print("all up" if up else "all lost", time.monotonic(), flush=True)

    async with asyncio.TaskGroup() as group:
        for number in range(first, first + count):
            Remote(number, context(pki, number), group, told).start()
            await asyncio.sleep(0.002)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
