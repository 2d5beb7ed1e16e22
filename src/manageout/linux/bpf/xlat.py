"""The translator's fast path: loads ``xlat.bpf.o``, attaches it, keeps its maps equal to :class:`Mappings`.

Layouts of keys and values repeat ``bpf/lib/xlat_maps.h``. A lease is an entry in two maps, one for each direction,
each with the counters of its direction.
"""

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from manageout.errors import FastPathUnavailable
from manageout.linux.bpf import libbpf
from manageout.linux.bpf.fast_path import ONLY, U32, U64, Direct, FastPath, Setup, replace
from manageout.linux.bpf.libbpf import BPF_NOEXIST, TRANSLATOR, Object
from manageout.protocol.core.drops import Drop
from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.whole import Mtus, addresses, fold

MAX_LEASES = 65536
MAX_MAPPED = 65536
_CONFIG = struct.Struct("=III")
_LEASE6 = struct.Struct("=QQQ4sI")
_LEASE4 = struct.Struct("=QQ16sII")
_SETTINGS = struct.Struct("=6I4s4s12s")
_SOURCE = struct.Struct("=HH16s")
_NO_POOL = b"\1\0\0\0", bytes(4)
"""Network and mask that no address matches."""


@dataclass(frozen=True, kw_only=True)
class XlatSetup(Setup):
    """``underlays`` may lead to IPv4: where the direct path is."""

    max_leases: int = MAX_LEASES


class XlatFastPath(FastPath):
    """The programs, attached. Raises :class:`FastPathUnavailable` when they cannot be.

    The TUN's MTU must not be below either of ``mtus``.
    """

    OBJECT, SLOT = "xlat", TRANSLATOR

    def __init__(self, setup: XlatSetup, mappings: Mappings, mtus: Mtus) -> None:
        if not mappings.fast:
            raise FastPathUnavailable(
                f"the fast path cannot serve {mappings.pref64}",
                "use a NAT64 prefix of 96 bits other than 64:ff9b::/96",
            )
        super().__init__(setup)
        self._load(_CONFIG.pack(setup.tun, setup.tun_header, self.direct), _sizes(setup.max_leases))
        self._by_v6, self._by_v4 = self._object.map("by_v6"), self._object.map("by_v4")
        self._prefix = b""
        self._mtus, self._strays = mtus, 0
        self._attach(partial(self.sync, mappings), ("underlay_in", "underlay_out") if self.direct else ())

    def sync(self, mappings: Mappings, mtus: Mtus | None = None) -> None:
        """Make the maps equal to ``mappings``; leases that stay keep their counters."""
        self._mtus = mtus or self._mtus
        prefix = mappings.embed(bytes(4))
        same = self._prefix == prefix
        self._prefix, self._prefix_sum, self._in_pool = prefix, addresses(prefix), mappings.in_pool
        self._sync_mapped(mappings)
        for v6, value in list(self._by_v6.items()):
            v4 = _LEASE6.unpack(value)[3]
            if not same or mappings.leases.get(v6) != v4:
                self._forget(v6, v4)
        self._strays = sum(not self._in_pool(v4) for v4 in mappings.leases4)
        self._mappings = mappings
        self._write_settings()
        for v6, v4 in mappings.leases.items():
            self._add(v6, v4)

    def _sync_mapped(self, mappings: Mappings) -> None:
        wanted = {U32.pack(v4.prefixlen) + v4.network_address.packed: U32.pack(1) for v4, _ in mappings.eam}
        replace(self._object.map("mapped"), wanted, f"more than {MAX_MAPPED} explicit mappings")

    def _write_settings(self) -> None:
        """``struct settings``."""
        mappings, mtus = self._mappings, self._mtus
        pool = mappings.pool
        network = (pool.network_address.packed, pool.netmask.packed) if pool else _NO_POOL
        numbers = mappings.fast, mtus.mtu4, mtus.mtu6, mtus.fragment6, bool(mappings.eam), bool(self._strays)
        self._settings.update(ONLY, _SETTINGS.pack(*numbers, *network, mappings.embed(bytes(4))[:12]))

    def set_lease(self, v6: bytes, v4: bytes) -> bool:
        """Give ``v4`` to ``v6``, and undo what either had before; False when the table is full."""
        value = self._by_v6.lookup(v6)
        if value is not None and _LEASE6.unpack(value)[3] == v4:
            return True
        self.clear_lease(v6)
        holder = self._by_v4.lookup(v4)
        if holder is not None:
            self.clear_lease(_LEASE4.unpack(holder)[2])
        if not self._in_pool(v4):
            self._strays += 1
            self._write_settings()
        return self._add(v6, v4)

    def clear_lease(self, v6: bytes) -> None:
        """Undo :meth:`set_lease`, if there was one; its counters are gone."""
        value = self._by_v6.lookup(v6)
        if value is None:
            return
        v4 = _LEASE6.unpack(value)[3]
        self._forget(v6, v4)
        if not self._in_pool(v4):
            self._strays -= 1
            self._write_settings()

    def _add(self, v6: bytes, v4: bytes) -> bool:
        sum6, sum4 = addresses(v6) + self._prefix_sum, addresses(v4)
        there = _difference(sum6, sum4)
        back = _difference(sum4, sum6)
        added = self._by_v4.update(v4, _LEASE4.pack(0, 0, v6, back, 0), BPF_NOEXIST)
        added = self._by_v6.update(v6, _LEASE6.pack(0, 0, 0, v4, there), BPF_NOEXIST) and added
        return added

    def _forget(self, v6: bytes, v4: bytes) -> None:
        self._by_v6.delete(v6)
        self._by_v4.delete(v4)

    def drops(self) -> Iterator[tuple[Drop, bytes, int]]:
        """(reason, source of 4 or 16 bytes, packets), the most recent sources only; ``::`` for one unreadable."""
        for key, value in self._object.map("drops").items():
            reason, version, address = _SOURCE.unpack(key)
            yield Drop(reason), address[:4] if version == 4 else address, U64.unpack(value)[0]


def loaded() -> Object:
    """The programs with the direct path, in the kernel but not attached: for ``check``."""
    config = _CONFIG.pack(1, 0, Direct.TCP)
    return libbpf.load(XlatFastPath.OBJECT, config, _sizes(1) | {"drops": 1, "flows": 1})


def _sizes(max_leases: int) -> dict[str, int]:
    return {"by_v6": max_leases, "by_v4": max_leases, "mapped": MAX_MAPPED}


def _difference(old: int, new: int) -> int:
    """What replaces words that sum to ``old`` by words that sum to ``new`` in a ones' complement sum, as the
    programs add it: in the order of the bytes in a packet, read as a number of this machine."""
    value = fold(0xFFFF - fold(old) + new)
    return int.from_bytes(value.to_bytes(2, "big"), sys.byteorder)
