"""The ISATAP fast path: loads ``isatap.bpf.o``, attaches it, keeps its maps equal to a :class:`LinkState`.

Layouts of keys and values repeat ``bpf/lib/isatap_maps.h``; IPv4 addresses are 4 bytes in network order on both sides.
"""

import contextlib
import platform
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import NamedTuple

from manageout.errors import FastPathUnavailable, KernelError, NotPermitted
from manageout.linux.bpf import libbpf
from manageout.linux.bpf.fast_path import ONLY, U32, U64, Direct, FastPath, Setup, names_of, replace
from manageout.linux.bpf.libbpf import BPF_NOEXIST, TUNNEL, Object
from manageout.linux.host import sysctl
from manageout.protocol.core.drops import Drop
from manageout.protocol.core.prefixes import Prefix
from manageout.protocol.isatap.link import LinkRole, LinkState

MAX_LOCATORS = 8
MAX_PREFIXES = 4
MAX_UNDERLAYS = 8
MAX_LISTED = 65536
_CONFIG = struct.Struct("=6I")
_PEER = struct.Struct("=QQQQQQ4sIII")


class Added(Enum):
    """What became of a host that was to be taken."""

    ADDED = "added"
    KNOWN = "known"
    """It was there already, and stays as it was."""
    FULL = "full"


class HostTraffic(NamedTuple):
    """What a host has sent and got. Bytes are those of IPv6; a super-packet counts as the packets it becomes."""

    v4: bytes
    rx_packets: int
    """From the host, and so the bytes."""
    rx_bytes: int
    tx_packets: int
    tx_bytes: int
    last: float
    """When it was heard from, by the monotonic clock."""


@dataclass(frozen=True, kw_only=True)
class IsatapSetup(Setup):
    """``underlays`` hold the locators; a direct path is a router's only."""

    mtu: int = 1280
    """The TUN's."""
    max_hosts: int = 131072
    old_kernel: bool | None = None
    """How to strip: as before Linux 6.3, or not; None: find out."""


class IsatapFastPath(FastPath):
    """The programs, attached. Raises :class:`FastPathUnavailable` when they cannot be."""

    OBJECT, SLOT = "isatap", TUNNEL

    def __init__(self, setup: IsatapSetup, state: LinkState) -> None:
        super().__init__(setup)
        self._role = state.role
        self.skipped += names_of(self._underlays[MAX_UNDERLAYS:]).values()
        del self._underlays[MAX_UNDERLAYS:]
        if not self._underlays:
            raise FastPathUnavailable(
                f"no Ethernet device among {', '.join(self.skipped) or 'none'}",
                "nothing to mend: the slow path serves such devices",
            )
        self._tun = socket.if_indextoname(setup.tun)
        self._let_routes_be_told()
        if state.role is not LinkRole.ROUTER:
            self.direct = Direct.OFF
        old = _is_old_kernel() if setup.old_kernel is None else setup.old_kernel
        config = _CONFIG.pack(state.role, setup.tun, setup.mtu, setup.tun_header, self.direct, old)
        self._load(config, _sizes(setup.max_hosts))
        self._peers = self._object.map("peers")
        programs = ("underlay_in", "underlay_out") if self.direct else ("underlay_in",)
        self._attach(partial(self.sync, state), programs)

    def _let_routes_be_told(self) -> None:
        """The route look-up helper answers only for a device that forwards IPv4; the TUN is ours to change.

        Whoever writes the parameter of ``all`` devices writes this one too, so it is looked at again.
        """
        try:
            sysctl.set(f"net/ipv4/conf/{self._tun}/forwarding", 1)
        except (KernelError, NotPermitted) as error:
            raise FastPathUnavailable(error.message, error.hint) from None

    def sync(self, state: LinkState) -> None:
        """Make the maps equal to ``state``; peers that stay keep their counters."""
        self._locators = state.locators[:MAX_LOCATORS]
        prefixes = sorted(state.prefixes)[:MAX_PREFIXES]
        # A prefix it does not know would look like another link's: then no locator, so that all is SLOW.
        locator_count = len(self._locators) if len(state.prefixes) <= MAX_PREFIXES else 0
        settings = struct.pack("=III", locator_count, len(prefixes), len(self._underlays))
        settings += b"".join(self._locators).ljust(4 * MAX_LOCATORS, b"\0")
        settings += struct.pack(f"={len(self._underlays)}I", *self._underlays).ljust(4 * MAX_UNDERLAYS, b"\0")
        settings += b"".join(prefixes)
        self._settings.update(ONLY, settings.ljust(self._settings.value_size, b"\0"))
        self._list("allowed", {_lpm_key(prefix): U32.pack(1) for prefix, _ in state.allowed.items()})
        self._list("routes", {_lpm_key(prefix): v4 for prefix, v4 in state.routes.items()})
        wanted = dict.fromkeys(state.hosts, False) | dict.fromkeys(state.routers, True)
        for v4, value in list(self._peers.items()):
            is_router = bool(_PEER.unpack(value)[9])
            if wanted.get(v4) is not is_router:
                self._peers.delete(v4)
        for v4, is_router in wanted.items():
            self._peers.update(v4, self._new_peer(state.hosts.get(v4), is_router), BPF_NOEXIST)

    def _list(self, name: str, entries: dict[bytes, bytes]) -> None:
        replace(self._object.map(name), entries, f"map {name} is full at {len(entries)} entries")

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

    def counters(self) -> Iterator[HostTraffic]:
        """Of every host. Call it every second or so: it also sees to the parameter that the programs need."""
        with contextlib.suppress(FastPathUnavailable):  # the device is on its way out
            self._let_routes_be_told()
        for v4, value in self._peers.items():
            rx_packets, rx_bytes, tx_packets, tx_bytes, seen, *_, is_router = _PEER.unpack(value)
            if self._role is LinkRole.HOST or not is_router:
                yield HostTraffic(v4, rx_packets, rx_bytes, tx_packets, tx_bytes, seen / 1e9)

    def drops(self) -> Iterator[tuple[Drop, bytes, int]]:
        """(reason, IPv4 of the other end, packets), the most recent sources only."""
        for key, value in self._object.map("drops").items():
            yield Drop(U32.unpack(key[:4])[0]), key[4:], U64.unpack(value)[0]


def _is_old_kernel() -> bool:
    major, minor = platform.release().split(".")[:2]
    return (int(major), int("".join(c for c in minor if c.isdigit()))) < (6, 3)


def loaded() -> Object:
    """The programs as a router needs them, in the kernel but not attached: for ``check``."""
    config = _CONFIG.pack(LinkRole.ROUTER, 1, 1280, 0, Direct.TCP, _is_old_kernel())
    return libbpf.load(IsatapFastPath.OBJECT, config, _sizes(1) | {"drops": 1, "flows": 1})


def _sizes(max_hosts: int) -> dict[str, int]:
    return {"peers": max_hosts, "allowed": MAX_LISTED, "routes": MAX_LISTED}


def _lpm_key(prefix: Prefix) -> bytes:
    return U32.pack(prefix.length) + prefix.address
