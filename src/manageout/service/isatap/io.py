"""The sockets of an ISATAP link around one machine: raw sockets on one side, the TUN device on the other.

The TUN has a ``virtio_net_hdr``.

Router and host share it. Readiness -> a batch into the machine -> everything it wants sent -> one timer.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, Self

from manageout.linux.bpf.isatap import IsatapFastPath, IsatapSetup
from manageout.linux.packets.isatap_underlay import IsatapUnderlay
from manageout.linux.packets.offload import header_for
from manageout.linux.packets.tun import Tun
from manageout.protocol.isatap.end import TUN, UNDERLAY, IsatapEnd
from manageout.protocol.isatap.link import LinkState
from manageout.protocol.offload.cut import packets_of, segment
from manageout.protocol.offload.join import SIZE
from manageout.protocol.offload.runs import ARRIVING_SIZE, FEWEST, alike_arriving, alike_leaving, joined
from manageout.service.process.tun_link import TunLink

log = logging.getLogger(__name__)


class IsatapIo(TunLink):
    """Runs ``machine`` on the loop from ``with`` to its end. ``after`` is called after each turn.

    Raises :class:`NotPermitted` or :class:`KernelError` on entry.
    """

    def __init__(self, machine: IsatapEnd[Any], tun: Tun, mtu: int, after: Callable[[], None]) -> None:
        super().__init__(tun, self._on_timer)
        self.machine = machine
        self.mtu = mtu
        self._after = after

    def __enter__(self) -> Self:
        super().__enter__()
        self.raw = IsatapUnderlay()
        self._inbox = self.raw.inbox(ARRIVING_SIZE)
        self._outbox = self.raw.outbox(self.tun.blocks, self.tun.mtu) if self.tun.mtu == SIZE else None
        data, errors = self.raw.filenos()
        self.read(data, self._from_underlay)
        self.read(errors, self._from_errors)
        self.read(self.tun.fd, self._from_tun)
        self.turn()
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.send()
        self.raw.close()

    def _from_errors(self) -> None:
        now = time.monotonic()
        for packet in self.raw.receive_errors():
            self.machine.receive(packet, UNDERLAY, now)
        self.turn()

    def _from_underlay(self) -> None:
        now, lengths = time.monotonic(), self._inbox.receive()
        slot = 0
        while slot < len(lengths):
            after = slot + 1
            while after < len(lengths) and lengths[slot] == lengths[after] == ARRIVING_SIZE:
                after += 1
            self._arrive(slot, after, lengths[slot], now)
            slot = after
        self.turn()

    def _arrive(self, slot: int, after: int, length: int, now: float) -> None:
        """Take packets of one length; a mixture of flows is halved until its parts are runs."""
        if after - slot >= FEWEST:
            block = self._inbox.block[slot * ARRIVING_SIZE : after * ARRIVING_SIZE]
            if alike_arriving(block):
                if self._run_arrives(block, after - slot, now):
                    return
            elif after - slot >= 2 * FEWEST:
                middle = (slot + after) // 2
                self._arrive(slot, middle, length, now)
                self._arrive(middle, after, length, now)
                return
        for each in range(slot, after):
            self.machine.receive(self._inbox.packet(each, length), UNDERLAY, now)

    def _run_arrives(self, block: memoryview, count: int, now: float) -> bool:
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
            self._leave(start, end, now)
        for packet in self.tun.oversize:
            take(packet, TUN, now)
        self.turn()

    def _leave(self, start: int, end: int, now: float) -> None:
        """Take a stretch of the TUN's blocks; a mixture of flows is halved until its parts are runs."""
        count = (end - start) // SIZE
        if count >= FEWEST:
            block = self.tun.blocks[start : start + count * SIZE]
            if alike_leaving(block):
                if self._run_leaves(block, start // SIZE, count, now):
                    start += count * SIZE
            elif count >= 2 * FEWEST:
                middle = start + count // 2 * SIZE
                self._leave(start, middle, now)
                self._leave(middle, end, now)
                return
        for packet in packets_of(self.tun.blocks[start:end], SIZE):
            self.machine.receive(packet, TUN, now)

    def _run_leaves(self, block: memoryview, slot: int, count: int, now: float) -> bool:
        outer = self.machine.receive_run(bytes(block[:SIZE]), TUN, count, count * SIZE, now)
        if outer is None or self._outbox is None:
            return False
        self.send()  # what came before it goes before it
        sent = self._outbox.send(outer[:20], slot, count)
        # The kernel's reason for stopping short is the single packet's to find.
        self.raw.send(outer[:20] + bytes(block[at * SIZE : (at + 1) * SIZE]) for at in range(sent, count))
        return True

    def _on_timer(self) -> None:
        self.machine.on_timer(time.monotonic())
        self.turn()

    def turn(self) -> None:
        """Send what the machine has, let the driver look, arm the timer."""
        self.send()
        self._after()
        self.timer.at(self.machine.timer())

    def send(self) -> None:
        """Send what the machine has."""
        underlay = []
        for destination, packet in self.machine.transmit():
            if destination is UNDERLAY:
                underlay.append(packet)
            else:
                self._write(packet)
        if underlay:
            self.raw.send(underlay)

    def load(self, setup: IsatapSetup, link: LinkState) -> IsatapFastPath:
        """Programs in front of the sockets; they take and give super-packets. Raises :class:`FastPathUnavailable`."""
        programs = IsatapFastPath(setup, link)
        self.tun.set_offloads(True)
        for name in programs.skipped:
            log.warning("%s is not Ethernet: its packets take the slow path", name)
        return programs

    def _write(self, packet: bytes) -> None:
        header, packet = header_for(packet, self.mtu)
        self.tun.write(packet, header)
