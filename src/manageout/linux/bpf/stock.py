"""Packets for stock clients out of the device of all clients into one without offloads: loads ``stock.bpf.o``."""

import struct
from collections.abc import Iterable, Iterator

from manageout.linux.bpf import libbpf
from manageout.linux.bpf.fast_path import U32, FastPath, Setup, replace
from manageout.linux.bpf.libbpf import TUNNEL, Object
from manageout.protocol.core.drops import Drop

_CONFIG = struct.Struct("=II")
_IS_STOCK = U32.pack(1)


class StockFastPath(FastPath):
    """The program at ``setup.tun``, attached. Raises :class:`FastPathUnavailable` when it cannot be."""

    OBJECT, SLOT = "stock", TUNNEL

    def __init__(self, setup: Setup, device: int, addresses: Iterable[bytes] = ()) -> None:
        """``device``: the interface number of that without offloads. ``addresses``: of stock clients, 16 bytes each."""
        super().__init__(setup)
        self._object = libbpf.load(self.OBJECT, _CONFIG.pack(device, setup.tun_header), {})
        self._stock = self._object.map("stock")
        held = dict.fromkeys(addresses, _IS_STOCK)
        self._attach(lambda: replace(self._stock, held, "more addresses of stock clients than 65,536"), ())

    def add(self, address: bytes) -> None:
        """A stock client has ``address``; where the table is full its packets are cut up in Python."""
        self._stock.update(address, _IS_STOCK)

    def discard(self, address: bytes) -> None:
        """No stock client has it any more."""
        self._stock.delete(address)

    def drops(self) -> Iterator[tuple[Drop, bytes, int]]:
        """None: what is dropped behind it is dropped by the machine of IP-HTTPS."""
        return iter(())


def loaded() -> Object:
    """The program in the kernel but not attached: for ``check``."""
    return libbpf.load(StockFastPath.OBJECT, _CONFIG.pack(1, 0), {})
