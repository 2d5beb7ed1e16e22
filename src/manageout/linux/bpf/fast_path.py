"""What both fast paths are: the programs of one object, at a TUN and at the devices beside it, and their maps.

The descriptors of this process hold it all, so it ends with the process; but where :attr:`Setup.pins` is a directory
the programs stay where they are attached, with their maps, and pass packets until nobody has vouched for them for
:attr:`Setup.orphan` seconds. The next process puts its own programs, whose maps are filled by then, into their place.
"""

import contextlib
import fcntl
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import ClassVar, Self

from manageout.errors import FastPathUnavailable
from manageout.linux.bpf import libbpf, pins
from manageout.linux.bpf.libbpf import Attachment, Map, Program
from manageout.linux.host import sysctl
from manageout.protocol.core.drops import Drop

SHARED_REASONS = 64
MAX_FLOWS = 16384
_SIOCGIFHWADDR = 0x8927
_ARPHRD_ETHER = 1
U32, U64 = struct.Struct("=I"), struct.Struct("=Q")
ONLY = U32.pack(0)
"""The key of an array's only entry."""
_ALWAYS = 2**64 - 1


class Direct(IntEnum):
    """Which flows are sent on without the kernel for two seconds after it let them through (bpf/lib/direct.h)."""

    OFF = 0
    UDP = 1
    TCP = 2


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What is fixed when programs are loaded."""

    tun: int
    """The TUN's interface number."""
    underlays: tuple[int, ...] = ()
    """The devices beside it; those that are not Ethernet are left out, by name in :attr:`FastPath.skipped`."""
    max_drop_sources: int = 4096
    direct: bool = True
    """Whether there may be a direct path."""
    untracked: bool = False
    """The kernel does not follow what goes directly."""
    tcx: bool = True
    """Attach by tcx where the kernel has it, else by clsact."""
    pins: Path | None = None
    """Where the attachments have their names, to outlive this process."""
    orphan: float = 0.0
    """With ``pins``: seconds from one :meth:`FastPath.vouch` to when nothing passes."""
    tun_header: int = 0
    """Bytes in front of IP at the TUN's egress: 14 for BPF_PROG_TEST_RUN."""


class FastPath(ABC):
    """Programs, attached. Raises :class:`FastPathUnavailable` when they cannot be."""

    OBJECT: ClassVar[str]
    SLOT: ClassVar[int]

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        names = names_of(setup.underlays)
        self._underlays = [ifindex for ifindex, name in names.items() if is_ethernet(name)]
        self.skipped = [name for ifindex, name in names.items() if ifindex not in self._underlays]
        self.direct = allowed(setup.untracked) if setup.direct and self._underlays else Direct.OFF
        self._attachments: list[Attachment] = []
        self._names: set[str] = set()

    def _load(self, config: bytes, sizes: Mapping[str, int]) -> None:
        """``config``: the constants; ``sizes``: what the maps of this object's own may hold."""
        shared = {"drops": self._setup.max_drop_sources, "flows": MAX_FLOWS if self.direct else 1}
        self._object = libbpf.load(self.OBJECT, config, {**sizes, **shared})
        self._settings = self._object.map("settings")

    def _attach(self, fill: Callable[[], None], at_underlays: Iterable[str]) -> None:
        """``fill`` the maps, then let packets come; ``at_underlays``: the programs that belong there."""
        try:
            fill()
            self.vouch()
            self._put("tun_out", self._setup.tun)
            for name in at_underlays:
                for ifindex in self._underlays:
                    self._put(name, ifindex)
            if self._setup.pins is not None:
                pins.keep_only(self._setup.pins, self.OBJECT, self._names)
        except BaseException:
            self.close()
            raise

    def _put(self, name: str, ifindex: int) -> None:
        pin = None
        if self._setup.pins is not None:
            self._names.add(called := pins.name(self.OBJECT, name, ifindex))
            pin = self._setup.pins / called
        made = Attachment(self.program(name), ifindex, pins.is_egress(name), self._setup.tcx, self.SLOT, pin)
        self._attachments.append(made)

    @property
    def kept(self) -> bool:
        """Whether the programs will outlive this process."""
        return all(attachment.kept for attachment in self._attachments)

    def vouch(self) -> None:
        """Somebody guards what the programs do: they may go on, for as long as :attr:`Setup.orphan` says."""
        until = _ALWAYS if self._setup.pins is None else time.monotonic_ns() + int(self._setup.orphan * 1e9)
        self._object.map("vouched").update(ONLY, U64.pack(until))

    @property
    def attached(self) -> bool:
        """Whether every program is still where it was put."""
        return all(attachment.holds for attachment in self._attachments)

    def program(self, name: str) -> Program:
        """A program, for BPF_PROG_TEST_RUN."""
        return self._object.program(name)

    @abstractmethod
    def drops(self) -> Iterator[tuple[Drop, bytes, int]]:
        """(reason, source, packets), the most recent sources only."""

    def totals(self) -> dict[Drop, int]:
        """Packets dropped for each reason, exact: sums of counters of each CPU."""
        counters, found = self._object.map("totals"), {}
        for reason in Drop:
            if reason < SHARED_REASONS:
                values = counters.lookup(U32.pack(reason)) or b""
                if count := sum(value for (value,) in U64.iter_unpack(values)):
                    found[reason] = count
        return found

    @classmethod
    def remove_leftovers(cls, ifindexes: Iterable[int]) -> None:
        """For a start without the fast path: remove the clsact filters that a killed process of ours left."""
        with contextlib.suppress(FastPathUnavailable):  # without libbpf nothing can have been left
            for ifindex in ifindexes:
                libbpf.remove_leftover(ifindex, egress=False, slot=cls.SLOT)
                libbpf.remove_leftover(ifindex, egress=True, slot=cls.SLOT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def leave(self) -> None:
        """Forget, but let them go on for the next process, as those that are :attr:`kept` do when this one dies."""
        while self._attachments:
            self._attachments.pop().leave()
        self._object.close()

    def close(self) -> None:
        """Detach and forget."""
        while self._attachments:
            self._attachments.pop().close()
        self._object.close()


def replace(table: Map, entries: Mapping[bytes, bytes], full: str) -> None:
    """Make ``table`` hold ``entries`` and nothing else; raises :class:`FastPathUnavailable` that says ``full``."""
    for key in table.all_keys():
        if key not in entries:
            table.delete(key)
    for key, value in entries.items():
        if not table.update(key, value):
            raise FastPathUnavailable(full, "use fewer, or shorter prefixes")


def allowed(untracked: bool = False) -> Direct:
    """TCP too only where conntrack, which would miss most of its segments, is told not to mind."""
    minds = not untracked and sysctl.find("net.netfilter.nf_conntrack_tcp_be_liberal") != "1"
    return Direct.UDP if minds else Direct.TCP


def names_of(ifindexes: Iterable[int]) -> dict[int, str]:
    """The devices' names, without those that have gone meanwhile."""
    found = {}
    for ifindex in ifindexes:
        with contextlib.suppress(OSError):
            found[ifindex] = socket.if_indextoname(ifindex)
    return found


def is_ethernet(name: str) -> bool:
    """Whether packets there have Ethernet's header; a device that has gone meanwhile is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe, _SIOCGIFHWADDR, struct.pack("40s", name.encode()))
        except OSError:
            return False
    return bool(struct.unpack_from("=H", answer, 16)[0] == _ARPHRD_ETHER)
