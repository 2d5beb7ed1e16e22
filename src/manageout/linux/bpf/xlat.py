"""The translator's fast path: loads ``xlat.bpf.o``, attaches it, keeps its maps equal to :class:`Mappings`.

Layouts of keys and values repeat ``bpf/lib/xlat_maps.h``. A lease is an entry in two maps, one for each direction,
each with the counters of its direction. Nothing is pinned: it all ends with the process.
"""

from __future__ import annotations

import contextlib
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Self

from manageout.errors import FastPathUnavailable
from manageout.linux.bpf import libbpf
from manageout.linux.bpf.isatap import MAX_FLOWS, Direct, allowed, is_ethernet, names_of, totals
from manageout.linux.bpf.libbpf import BPF_NOEXIST, TRANSLATOR, Attachment, Object, Program, remove_leftover
from manageout.protocol.core.drops import Drop
from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.whole import Mtus, addresses, fold

MAX_LEASES = 65536
MAX_MAPPED = 65536
_LEASE6 = struct.Struct("=QQQ4sI")
_LEASE4 = struct.Struct("=QQ16sII")
_SETTINGS = struct.Struct("=6I4s4s12s")
_SOURCE = struct.Struct("=HH16s")
_U32, _U64 = struct.Struct("=I"), struct.Struct("=Q")
_NO_POOL = b"\1\0\0\0", bytes(4)
"""Network and mask that no address matches."""


class XlatFastPath:
    """The program, attached to the egress of the TUN. Raises :class:`FastPathUnavailable` when it cannot be.

    The TUN's MTU must not be below either of ``mtus``. ``max_leases`` and ``max_drop_sources`` bound the tables.
    ``tun_header`` is how many bytes stand in front of IP at the TUN's egress: 14 for BPF_PROG_TEST_RUN. ``tcx``
    chooses how to attach, which is otherwise found out.
    """

    def __init__(
        self,
        tun_ifindex: int,
        mappings: Mappings,
        mtus: Mtus,
        *,
        max_leases: int = MAX_LEASES,
        max_drop_sources: int = 4096,
        underlay_ifindexes: Sequence[int] = (),
        direct: bool = True,
        untracked: bool = False,
        tcx: bool = True,
        tun_header: int = 0,
    ) -> None:
        if not mappings.fast:
            raise FastPathUnavailable(
                f"the fast path cannot serve {mappings.pref64}",
                "use a NAT64 prefix of 96 bits other than 64:ff9b::/96",
            )
        self._attachments: list[Attachment] = []
        names = names_of(underlay_ifindexes)
        underlays = [ifindex for ifindex, name in names.items() if is_ethernet(name)]
        self.skipped = [name for ifindex, name in names.items() if ifindex not in underlays]
        self.direct = (Direct.TCP if untracked else allowed()) if direct and underlays else Direct.OFF
        config = struct.pack("=III", tun_ifindex, tun_header, self.direct)
        self._object = _load(config, max_leases, max_drop_sources, MAX_FLOWS if self.direct else 1)
        try:
            self._settings, self._mapped = self._object.map("settings"), self._object.map("mapped")
            self._by_v6, self._by_v4 = self._object.map("by_v6"), self._object.map("by_v4")
            self._drops, self._totals = self._object.map("drops"), self._object.map("totals")
            self._prefix = b""
            self._mtus = mtus
            self.sync(mappings)
            self._attach(self._object.program("tun_out"), tun_ifindex, True, tcx)
            for ifindex in underlays if self.direct else ():
                self._attach(self._object.program("underlay_in"), ifindex, False, tcx)
                self._attach(self._object.program("underlay_out"), ifindex, True, tcx)
        except BaseException:
            self.close()
            raise

    def _attach(self, program: Program, ifindex: int, egress: bool, tcx: bool) -> None:
        self._attachments.append(Attachment(program, ifindex, egress, tcx, slot=TRANSLATOR))

    @property
    def attached_by(self) -> str:
        """``tcx`` or ``clsact``."""
        return "tcx" if all(attachment.link >= 0 for attachment in self._attachments) else "clsact"

    @property
    def attached(self) -> bool:
        """Whether every program is still where it was put."""
        return all(attachment.holds for attachment in self._attachments)

    def program(self, name: str) -> Program:
        """A program, for BPF_PROG_TEST_RUN."""
        return self._object.program(name)

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
        self._settings_for(mappings)
        for v6, v4 in mappings.leases.items():
            self._add(v6, v4)

    def _sync_mapped(self, mappings: Mappings) -> None:
        wanted = {_U32.pack(v4.prefixlen) + v4.network_address.packed for v4, _ in mappings.eam}
        for key in self._mapped.all_keys():
            if key not in wanted:
                self._mapped.delete(key)
        for key in wanted:
            if not self._mapped.update(key, _U32.pack(1)):
                raise FastPathUnavailable(
                    f"more than {MAX_MAPPED} explicit mappings", "use fewer, or shorter prefixes"
                )

    def _settings_for(self, mappings: Mappings) -> None:
        self._write = partial(_settings, mappings, self._mtus)
        self._write_settings()

    def _write_settings(self) -> None:
        self._settings.update(_U32.pack(0), self._write(bool(self._strays)))

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

    def counters(self) -> Iterator[tuple[bytes, bytes, int, int, int, int, float]]:
        """(IPv6, IPv4, packets and bytes from it, packets and bytes to it, monotonic second last heard from).

        Bytes are those of IPv6; a super-packet counts as the packets it becomes.
        """
        back = {v4: _LEASE4.unpack(value)[:2] for v4, value in self._by_v4.items()}
        for v6, value in self._by_v6.items():
            packets, size, seen, v4, _ = _LEASE6.unpack(value)
            yield v6, v4, packets, size, *back.get(v4, (0, 0)), seen / 1e9

    def drops(self) -> Iterator[tuple[Drop, bytes, int]]:
        """(reason, source of 4 or 16 bytes, packets), the most recent sources only; ``::`` for one unreadable."""
        for key, value in self._drops.items():
            reason, version, address = _SOURCE.unpack(key)
            yield Drop(reason), address[:4] if version == 4 else address, _U64.unpack(value)[0]

    def totals(self) -> dict[Drop, int]:
        """Packets dropped for each reason, exact."""
        return totals(self._totals)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Detach and forget."""
        while self._attachments:
            self._attachments.pop().close()
        self._object.close()


def remove_leftovers(ifindexes: Iterable[int]) -> None:
    """For a start without the fast path: remove the clsact filters that a killed process of ours left."""
    with contextlib.suppress(FastPathUnavailable):  # without libbpf nothing can have been left
        for ifindex in ifindexes:
            remove_leftover(ifindex, egress=False, slot=TRANSLATOR)
            remove_leftover(ifindex, egress=True, slot=TRANSLATOR)


def loaded() -> Object:
    """The programs with the direct path, in the kernel but not attached: for ``check``."""
    return _load(struct.pack("=III", 1, 0, Direct.TCP), 1, 1, 1)


def _load(config: bytes, max_leases: int, max_drop_sources: int, max_flows: int) -> Object:
    sizes = {
        "by_v6": max_leases,
        "by_v4": max_leases,
        "mapped": MAX_MAPPED,
        "drops": max_drop_sources,
        "flows": max_flows,
    }
    return libbpf.load("xlat", config, sizes)


def _settings(mappings: Mappings, mtus: Mtus, strays: bool) -> bytes:
    """``struct settings``."""
    pool = mappings.pool
    network = (pool.network_address.packed, pool.netmask.packed) if pool else _NO_POOL
    numbers = mappings.fast, mtus.mtu4, mtus.mtu6, mtus.fragment6, bool(mappings.eam), strays
    return _SETTINGS.pack(*numbers, *network, mappings.embed(bytes(4))[:12])


def _difference(old: int, new: int) -> int:
    """What replaces words that sum to ``old`` by words that sum to ``new`` in a ones' complement sum, as the
    programs add it: in the order of the bytes in a packet, read as a number of this machine."""
    value = fold(0xFFFF - fold(old) + new)
    return int.from_bytes(value.to_bytes(2, "big"), sys.byteorder)
