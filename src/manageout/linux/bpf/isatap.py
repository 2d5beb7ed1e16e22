"""The ISATAP fast path: loads ``isatap.bpf.o``, attaches it, keeps its maps equal to a :class:`LinkState`.

Layouts of keys and values repeat ``bpf/lib/isatap_maps.h``; IPv4 addresses are 4 bytes in network order on both sides.
Nothing is pinned: the descriptors of this process hold it all, so it ends with the process.
"""

from __future__ import annotations

import contextlib
import fcntl
import platform
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum, IntEnum
from typing import Self

from manageout.errors import FastPathUnavailable, KernelError, NotPermitted
from manageout.linux.bpf import libbpf
from manageout.linux.bpf.libbpf import BPF_NOEXIST, Attachment, Map, Object, Program, remove_leftover
from manageout.linux.host import sysctl
from manageout.protocol.core.drops import Drop
from manageout.protocol.core.prefixes import Prefix
from manageout.protocol.isatap.link import LinkState, Role

MAX_LOCATORS = 8
MAX_PREFIXES = 4
MAX_UNDERLAYS = 8
SHARED_REASONS = 64
MAX_FLOWS = 16384
MAX_LISTED = 65536
_SIOCGIFHWADDR = 0x8927
_ARPHRD_ETHER = 1
_PEER = struct.Struct("=QQQQQQ4sIII")
_U32, _U64 = struct.Struct("=I"), struct.Struct("=Q")


class Direct(IntEnum):
    """Which flows a router sends on without the kernel for two seconds after it let them through."""

    OFF = 0
    UDP = 1
    TCP = 2


class Added(Enum):
    """What became of a host that was to be taken."""

    ADDED = "added"
    KNOWN = "known"
    """It was there already, and stays as it was."""
    FULL = "full"


class IsatapFastPath:
    """The programs, attached. Raises :class:`FastPathUnavailable` when they cannot be.

    ``underlay_ifindexes`` are the devices that hold the locators; those that are not Ethernet stay with the
    slow path, by name in ``skipped``. ``mtu`` is the TUN's. ``max_hosts`` and ``max_drop_sources`` bound
    the tables. ``direct`` allows the direct path (bpf/lib/direct.h) in a router's role. ``tun_header`` is
    how many bytes stand in front of IPv6 at the TUN's egress: 14 for BPF_PROG_TEST_RUN. ``tcx`` and
    ``old_kernel`` choose how to attach and to strip, which is otherwise found out.
    """

    def __init__(
        self,
        tun_ifindex: int,
        underlay_ifindexes: Sequence[int],
        role: Role,
        state: LinkState,
        locators: Sequence[bytes],
        mtu: int,
        *,
        max_hosts: int = 131072,
        max_drop_sources: int = 4096,
        direct: bool = True,
        tcx: bool = True,
        tun_header: int = 0,
        old_kernel: bool | None = None,
    ) -> None:
        self._role = role
        self._attachments: list[Attachment] = []
        names = names_of(underlay_ifindexes)
        self._underlays = [ifindex for ifindex, name in names.items() if is_ethernet(name)][:MAX_UNDERLAYS]
        self.skipped = [name for ifindex, name in names.items() if ifindex not in self._underlays]
        if not self._underlays:
            raise FastPathUnavailable(
                f"no Ethernet device among {', '.join(names.values()) or 'none'}",
                "nothing to mend: the slow path serves such devices",
            )
        self._tun = socket.if_indextoname(tun_ifindex)
        self._let_routes_be_told()
        self.direct = allowed() if direct and role is Role.ROUTER else Direct.OFF
        old = _is_old_kernel() if old_kernel is None else old_kernel
        config = struct.pack("=6I", role, tun_ifindex, mtu, tun_header, self.direct, old)
        self._object = _load(config, max_hosts, max_drop_sources, MAX_FLOWS if self.direct else 1)
        try:
            self._settings, self._peers = self._object.map("settings"), self._object.map("peers")
            self._allowed, self._routes = self._object.map("allowed"), self._object.map("routes")
            self._drops, self._totals = self._object.map("drops"), self._object.map("totals")
            self.sync(state, locators)
            self._attach(self._object.program("tun_out"), tun_ifindex, True, tcx)
            for ifindex in self._underlays:
                self._attach(self._object.program("underlay_in"), ifindex, False, tcx)
                if self.direct:
                    self._attach(self._object.program("underlay_out"), ifindex, True, tcx)
        except BaseException:
            self.close()
            raise

    def _let_routes_be_told(self) -> None:
        """The route look-up helper answers only for a device that forwards IPv4; the TUN is ours to change.

        Whoever writes the parameter of ``all`` devices writes this one too, so it is looked at again.
        """
        try:
            sysctl.set(f"net/ipv4/conf/{self._tun}/forwarding", 1)
        except (KernelError, NotPermitted) as error:
            raise FastPathUnavailable(error.message, error.hint) from None

    def _attach(self, program: Program, ifindex: int, egress: bool, tcx: bool) -> None:
        self._attachments.append(Attachment(program, ifindex, egress, tcx))

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

    def sync(self, state: LinkState, locators: Sequence[bytes] | None = None) -> None:
        """Make the maps equal to ``state``; peers that stay keep their counters."""
        self._locators = [
            v4 for v4 in (state.locators if locators is None else locators) if v4 in state.locators
        ][:MAX_LOCATORS]
        prefixes = sorted(state.prefixes)[:MAX_PREFIXES]
        # A prefix it does not know would look like another link's: then no locator, so that all is SLOW.
        locator_count = len(self._locators) if len(state.prefixes) <= MAX_PREFIXES else 0
        settings = struct.pack("=III", locator_count, len(prefixes), len(self._underlays))
        settings += b"".join(self._locators).ljust(4 * MAX_LOCATORS, b"\0")
        settings += struct.pack(f"={len(self._underlays)}I", *self._underlays).ljust(4 * MAX_UNDERLAYS, b"\0")
        settings += b"".join(prefixes)
        self._settings.update(_U32.pack(0), settings.ljust(self._settings.value_size, b"\0"))
        _replace(self._allowed, {_lpm_key(prefix): _U32.pack(1) for prefix, _ in state.allowed.items()})
        _replace(self._routes, {_lpm_key(prefix): v4 for prefix, v4 in state.routes.items()})
        wanted = dict.fromkeys(state.hosts, False) | dict.fromkeys(state.routers, True)
        for v4, value in list(self._peers.items()):
            is_router = bool(_PEER.unpack(value)[9])
            if wanted.get(v4) is not is_router:
                self._peers.delete(v4)
        for v4, is_router in wanted.items():
            self._peers.update(v4, self._new_peer(state.hosts.get(v4), is_router), BPF_NOEXIST)

    def _new_peer(self, locator: bytes | None, is_router: bool) -> bytes:
        index = self._locators.index(locator) if locator in self._locators else 0
        return _PEER.pack(0, 0, 0, 0, 0, 0, bytes(4), 0, index, is_router)

    def add_host(self, v4: bytes, locator: bytes | None = None) -> Added:
        """Take a registered host's packets from now on."""
        if self._peers.update(v4, self._new_peer(locator, False), BPF_NOEXIST):
            return Added.ADDED
        return Added.KNOWN if self._peers.lookup(v4) is not None else Added.FULL

    def remove_host(self, v4: bytes) -> None:
        """Leave a host to the slow path; its counters are gone."""
        self._peers.delete(v4)

    def counters(self) -> Iterator[tuple[bytes, int, int, int, int, float]]:
        """(IPv4, packets and bytes from it, packets and bytes to it, monotonic second last heard from).

        Bytes are those of IPv6; a super-packet counts as the packets it becomes. Call it every second or so: it
        also sees to the parameter that the programs need.
        """
        with contextlib.suppress(FastPathUnavailable):  # the device is on its way out
            self._let_routes_be_told()
        for v4, value in self._peers.items():
            rx_packets, rx_bytes, tx_packets, tx_bytes, seen, *_, is_router = _PEER.unpack(value)
            if self._role is Role.HOST or not is_router:
                yield v4, rx_packets, rx_bytes, tx_packets, tx_bytes, seen / 1e9

    def drops(self) -> Iterator[tuple[Drop, bytes, int]]:
        """(reason, IPv4 of the other end, packets), the most recent sources only."""
        for key, value in self._drops.items():
            yield Drop(_U32.unpack(key[:4])[0]), key[4:], _U64.unpack(value)[0]

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


def totals(counters: Map) -> dict[Drop, int]:
    """Sums of the per-CPU counters of dropped packets, a reason each."""
    found = {}
    for reason in Drop:
        if reason < SHARED_REASONS:
            values = counters.lookup(_U32.pack(reason)) or b""
            if count := sum(value for (value,) in _U64.iter_unpack(values)):
                found[reason] = count
    return found


def remove_leftovers(underlay_ifindexes: Iterable[int]) -> None:
    """For a start without the fast path: remove the clsact filters that a killed process of ours left."""
    with contextlib.suppress(FastPathUnavailable):  # without libbpf nothing can have been left
        for ifindex in underlay_ifindexes:
            remove_leftover(ifindex, egress=False)
            remove_leftover(ifindex, egress=True)


def _is_old_kernel() -> bool:
    major, minor = platform.release().split(".")[:2]
    return (int(major), int("".join(c for c in minor if c.isdigit()))) < (6, 3)


def allowed() -> Direct:
    """TCP too only where conntrack, which would miss most of its segments, is told not to mind."""
    return Direct.TCP if sysctl.find("net.netfilter.nf_conntrack_tcp_be_liberal") == "1" else Direct.UDP


def loaded() -> Object:
    """The programs as a router needs them, in the kernel but not attached: for ``check``."""
    return _load(struct.pack("=6I", Role.ROUTER, 1, 1280, 0, Direct.TCP, _is_old_kernel()), 1, 1, 1)


def _load(config: bytes, max_hosts: int, max_drop_sources: int, max_flows: int) -> Object:
    sizes = {
        "peers": max_hosts,
        "drops": max_drop_sources,
        "flows": max_flows,
        "allowed": MAX_LISTED,
        "routes": MAX_LISTED,
    }
    return libbpf.load("isatap", config, sizes)


def _lpm_key(prefix: Prefix) -> bytes:
    return _U32.pack(prefix.length) + prefix.address


def _replace(table: Map, wanted: dict[bytes, bytes]) -> None:
    for key in table.all_keys():
        if key not in wanted:
            table.delete(key)
    for key, value in wanted.items():
        if not table.update(key, value):
            raise FastPathUnavailable(
                f"map {table.name} is full at {len(wanted)} entries", "use fewer prefixes"
            )


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
