"""The sockets of an ISATAP link around one machine: raw sockets on one side, the TUN device on the other.

The TUN has a ``virtio_net_hdr``.

Router and host share it. Readiness -> a batch into the machine -> everything it wants sent -> one timer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from manageout.errors import ManageoutError
from manageout.linux.offload import header_for
from manageout.linux.rawsock import RawSocket
from manageout.linux.tun import Tun
from manageout.protocol.isatap_run import (
    ARRIVING_SIZE,
    FEWEST,
    alike_arriving,
    alike_leaving,
    joined,
)
from manageout.protocol.segment import packets_of, segment
from manageout.protocol.stock_stream import SIZE

TUN, UNDERLAY = 0, 1
CHECK = 1.0
"""Seconds between looks at whether the device is still there."""


class LinkMachine(Protocol):
    """The part of the five verbs that packets need; events stay the driver's business."""

    def receive(self, data: bytes, source: int, now: float) -> None: ...
    def receive_run(self, first: bytes, source: int, count: int, octets: int, now: float) -> bytes | None: ...
    def on_timer(self, now: float) -> None: ...
    def timer(self) -> float | None: ...
    def transmit(self) -> Sequence[tuple[int, bytes]]: ...


class IsatapIo:
    """Runs ``machine`` on the loop from ``with`` to its end. ``after`` is called after each turn.

    Raises :class:`NotPermitted` or :class:`KernelError` on entry.
    """

    def __init__(self, machine: LinkMachine, tun: Tun, mtu: int, after: Callable[[], None]) -> None:
        self.machine = machine
        self.tun = tun
        self.mtu = mtu
        self._after = after
        self._timer: asyncio.TimerHandle | None = None
        self._due: float | None = None
        self._failed: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._failed = self._loop.create_future()
        self.raw = RawSocket()
        self._inbox = self.raw.inbox(ARRIVING_SIZE)
        self._outbox = self.raw.outbox(self.tun.blocks, self.tun.mtu) if self.tun.mtu == SIZE else None
        data, errors = self.raw.filenos()
        self._loop.add_reader(data, self._guarded, self._from_underlay)
        self._loop.add_reader(errors, self._guarded, self._from_errors)
        self._loop.add_reader(self.tun.fd, self._guarded, self._from_tun)
        self.turn()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for descriptor in (*self.raw.filenos(), self.tun.fd):
            if descriptor >= 0:
                self._loop.remove_reader(descriptor)
        if self._timer is not None:
            self._timer.cancel()
        self.send()
        self.raw.close()

    async def failure(self) -> None:
        """Wait for the error that ends the link (the device was removed), and raise it."""
        assert self._failed is not None, "inside the with block"
        while not self._failed.done():
            self.tun.require()
            await asyncio.wait({self._failed}, timeout=CHECK)
        self._failed.result()

    def _guarded(self, callback: Callable[..., None], *arguments: object) -> None:
        try:
            callback(*arguments)
        except ManageoutError as error:
            if self._failed is not None and not self._failed.done():
                self._failed.set_exception(error)

    def _from_errors(self) -> None:
        now = time.monotonic()
        for packet in self.raw.receive_errors():
            self.machine.receive(packet, UNDERLAY, now)
        self.turn()

    def _from_underlay(self) -> None:
        now, take, packet = time.monotonic(), self.machine.receive, self._inbox.packet
        lengths = self._inbox.receive()
        slot = 0
        while slot < len(lengths):
            after = slot
            while after < len(lengths) and lengths[after] == ARRIVING_SIZE:
                after += 1
            if after - slot < FEWEST or not self._run_arrives(slot, after, now):
                after = max(after, slot + 1)
                for each in range(slot, after):
                    take(packet(each, lengths[each]), UNDERLAY, now)
            slot = after
        self.turn()

    def _run_arrives(self, slot: int, after: int, now: float) -> bool:
        block = self._inbox.block[slot * ARRIVING_SIZE : after * ARRIVING_SIZE]
        if not alike_arriving(block):
            return False
        count = after - slot
        if self.machine.receive_run(bytes(block[:ARRIVING_SIZE]), UNDERLAY, count, count * SIZE, now) is None:
            return False
        self.send()  # what came before it goes before it
        for is_super, packet in joined(block):
            if is_super:
                self.tun.write_raw(packet)
            else:
                self._write(packet)
        return True

    def _from_tun(self) -> None:
        now, take = time.monotonic(), self.machine.receive
        if self.tun.offloads or self.mtu != SIZE or self._outbox is None:
            for data in self.tun.read_batch():
                for packet in segment(data):
                    take(packet, TUN, now)
            self.turn()
            return
        for start, end in self.tun.read_blocks():
            block = self.tun.blocks[start:end]
            whole = len(block) // SIZE
            if whole >= FEWEST and self._run_leaves(start, whole, now):
                block = block[whole * SIZE :]
            for packet in packets_of(block, SIZE):
                take(packet, TUN, now)
        for packet in self.tun.oversize:
            take(packet, TUN, now)
        self.turn()

    def _run_leaves(self, start: int, count: int, now: float) -> bool:
        block = self.tun.blocks[start : start + count * SIZE]
        if self._outbox is None or not alike_leaving(block):
            return False
        outer = self.machine.receive_run(bytes(block[:SIZE]), TUN, count, count * SIZE, now)
        if outer is None:
            return False
        self.send()  # what came before it goes before it
        sent = self._outbox.send(outer[:20], start // SIZE, count)
        # The kernel's reason for stopping short is the single packet's to find.
        self.raw.send(outer[:20] + bytes(block[at * SIZE : (at + 1) * SIZE]) for at in range(sent, count))
        return True

    def _on_timer(self) -> None:
        self._due = None
        self.machine.on_timer(time.monotonic())
        self.turn()

    def turn(self) -> None:
        """Send what the machine has, let the driver look, arm the timer."""
        self.send()
        self._after()
        due = self.machine.timer()
        if due == self._due:
            return
        self._due = due
        if self._timer is not None:
            self._timer.cancel()
        delay = None if due is None else max(0.0, due - time.monotonic())
        self._timer = None if delay is None else self._loop.call_later(delay, self._guarded, self._on_timer)

    def send(self) -> None:
        """Send what the machine has."""
        underlay = []
        for destination, packet in self.machine.transmit():
            if destination == UNDERLAY:
                underlay.append(packet)
            else:
                self._write(packet)
        if underlay:
            self.raw.send(underlay)

    def _write(self, packet: bytes) -> None:
        header, packet = header_for(packet, self.mtu)
        self.tun.write(packet, header)
