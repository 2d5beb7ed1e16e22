"""Where the packets for stock clients wait: in a TUN device of their own, without offloads.

Offloads belong to a device. With them on the kernel hands over super-packets, which own framing carries whole and stock
framing cannot: they would be cut up here. With them off every packet is read by itself, which own clients would pay
for. So eBPF redirects what is for a stock client's address into a second device (``bpf/stock.bpf.c``). Routes, rules
and what clients send know the first one only. Without eBPF there is one device for all, whose offloads are on while no
stock client is there.
"""

from collections import Counter
from itertools import chain

from manageout.linux.bpf.fast_path import Setup
from manageout.linux.bpf.stock import StockFastPath
from manageout.linux.packets.tun import Tun
from manageout.protocol.core.drop_table import DropTable
from manageout.service.process.fast_path import RoleFastPath


class StockDevice:
    """``tun``: of all clients; ``stock``: without offloads. ``allowed``: whether there may be eBPF."""

    def __init__(self, tun: Tun, stock: Tun, allowed: bool) -> None:
        self.tun = stock
        self._allowed = allowed
        self._shared = tun
        self._framings: Counter[str] = Counter()
        self._held: dict[int, set[bytes]] = {}
        """Sessions of stock clients, and the addresses of each."""
        self.fast = RoleFastPath("the IP-HTTPS gateway", DropTable(1), self._load)

    def _load(self) -> StockFastPath | None:
        if not self._allowed:
            StockFastPath.remove_leftovers([self._shared.ifindex])
            return None
        held = chain.from_iterable(self._held.values())
        return StockFastPath(Setup(tun=self._shared.ifindex), self.tun.ifindex, held)

    def attach(self) -> None:
        """Begin. Raises nothing where the kernel will not: :attr:`fast` says why."""
        self.fast.attach()
        self._choose_offloads()

    def detach(self) -> None:
        """The end."""
        self.fast.detach()

    def reload(self) -> None:
        """The administrator wants it as the file says."""
        self.fast.reload()
        if self.fast.programs is None:
            self.fast.attach_again()
            self._choose_offloads()

    def recheck(self) -> None:
        """Put back what somebody has detached."""
        if self._allowed:
            self.fast.recheck(False)
            self._choose_offloads()

    def opened(self, framing: str) -> None:
        """A client has come."""
        self._framings[framing] += 1
        self._choose_offloads()

    def left(self, session: int, framing: str) -> None:
        """A client has gone, with its addresses."""
        for address in list(self._held.get(session, ())):
            self.released(session, address)
        self._framings[framing] -= 1
        self._choose_offloads()

    def bound(self, session: int, address: bytes) -> None:
        """A stock client has an address."""
        self._held.setdefault(session, set()).add(address)
        if self.fast.programs is not None:
            self.fast.programs.add(address)

    def released(self, session: int, address: bytes) -> None:
        """It has it no longer."""
        held = self._held.get(session, set())
        if address in held:
            held.remove(address)
            if not held:
                del self._held[session]
            if self.fast.programs is not None:
                self.fast.programs.discard(address)

    def _choose_offloads(self) -> None:
        apart = self.fast.programs is not None and not self.fast.lost
        wanted = self._framings["own"] > 0 and (apart or not self._framings["stock"])
        if self._shared.vnet_hdr and wanted != bool(self._shared.offloads):
            self._shared.set_offloads(wanted)
