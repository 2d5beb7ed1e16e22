"""``manageout join``: be an ISATAP host. One machine, its sockets, the router's name, the kernel's routes."""

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, IPv6Interface, IPv6Network
from typing import Literal, cast

from manageout.errors import KernelError
from manageout.linux.bpf.isatap import IsatapFastPath, IsatapSetup
from manageout.linux.netlink.events import AddressMonitor
from manageout.linux.netlink.links import Netlink
from manageout.linux.packets.tun import Tun
from manageout.protocol.host.slaac import AddressRemoved, RouteRemoved
from manageout.protocol.isatap import host
from manageout.protocol.isatap.potential_router import Reach
from manageout.service.isatap.io import IsatapIo
from manageout.service.isatap.router_name import RouterName
from manageout.service.process.fast_path import RoleFastPath
from manageout.service.process.loops import heard, woken
from manageout.service.process.role import Role
from manageout.service.process.rows import DropRow, RoleStatus
from manageout.wire.nd import INFINITE, Preference

POLL = 5.0
"""Seconds between looks at the routing table; a change of an address is noticed at once."""
COUNTERS = 1.0

log = logging.getLogger(__name__)


class IsatapHostService(Role):
    """Runs until cancelled. Raises :class:`ManageoutError` when it cannot go on.

    ``router`` is a DNS name or an IPv4 address; ``metric`` is that of the routes.
    """

    name = "isatap-host"

    def __init__(
        self, router: str, tun: Tun, netlink: Netlink, *, fast_path: bool = True, metric: int = 1024
    ) -> None:
        self._tun, self._netlink = tun, netlink
        self._want_fast, self._metric = fast_path, metric
        self._machine = host.IsatapHost(random.random, host.MIN_MTU)
        self._io = IsatapIo(self._machine, tun, host.MIN_MTU, self._after)
        self._router_name = RouterName(router)
        self._changed = asyncio.Event()
        off = "not attached yet" if fast_path else "switched off by --no-ebpf"
        self._fast = RoleFastPath("ISATAP", self._machine.drops, self._load_fast_path, off=off)
        self._underlay = ""
        self._lost = False
        """There is no route to any router, which was said."""
        self._silent: set[bytes] = set()
        self._sent: dict[bytes, int] = {}
        self._routes: dict[str, str] = {}
        self._addresses: dict[str, None] = {}

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            with heard(AddressMonitor(), self._address_event), self._io:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._io.failure(), name="link")
                    group.create_task(self._follow_name(), name="name")
                    group.create_task(self._follow_locator(), name="locator")
                    group.create_task(self._follow_traffic(), name="traffic")
        finally:
            self._fast.detach()

    # What may change around us

    async def _follow_name(self) -> None:
        """The potential router list follows the DNS (RFC 5214 8.3.2)."""
        while True:
            found = await self._router_name.resolve()
            now = time.monotonic()
            if found is not None:
                self._machine.set_routers((v4.packed for v4 in found), now)
                self._find_locator()
                self._io.turn()
            await asyncio.sleep(self._router_name.pause(self._machine.next_solicitation() - now))

    async def _follow_locator(self) -> None:
        """Our IPv4 address is the one from which the kernel would send to the router."""
        while True:
            await woken(self._changed, POLL)
            self._changed.clear()
            self._find_locator()
            self._io.turn()
            self._name_the_silent()

    def _name_the_silent(self) -> None:
        """Say once of each router that it never answered: a refused host gets no other word."""
        now, locator = time.monotonic(), self._machine.locator
        for v4, router in self._machine.routers.items():
            if router.silent(now) and v4 not in self._silent:
                self._silent.add(v4)
                log.warning(
                    "router %s does not answer: check that its isatap.hosts has %s (see `manageout drops` there), "
                    "and that IPv4 protocol 41 passes both ways; trying on",
                    IPv4Address(v4),
                    IPv4Address(locator) if locator else "our address",
                )

    def _address_event(self, monitor: AddressMonitor) -> None:
        if monitor.drain():
            self._changed.set()

    def _find_locator(self) -> None:
        for v4 in self._machine.routers:
            try:
                hop = self._netlink.route_get(IPv4Address(v4))
            except KernelError:
                continue
            if isinstance(hop.src, IPv4Address):
                self._lost = False
                if hop.src.packed != self._machine.locator:
                    log.info("our IPv4 address is %s on %s", hop.src, hop.dev)
                self._machine.set_locator(hop.src.packed, time.monotonic())
                if hop.dev != self._underlay:
                    self._underlay = hop.dev
                    self._fast.attach_again()
                return
        if self._machine.routers and not self._lost:
            self._lost = True
            log.warning("no route to any router: waiting for one (those of a VRF do not count)")
            self._machine.set_locator(b"", time.monotonic())

    async def _follow_traffic(self) -> None:
        """Packets that the fast path sent to a router are a reason to verify it (RFC 4861 7.3.3)."""
        while True:
            await asyncio.sleep(COUNTERS)
            for peer in self._fast.programs.counters() if self._fast.programs else ():
                if peer.v4 in self._machine.routers and peer.tx_packets > self._sent.get(peer.v4, 0):
                    self._machine.traffic(peer.v4, time.monotonic())
                    self._sent[peer.v4] = peer.tx_packets
            self._io.turn()

    # The fast path

    def _load_fast_path(self) -> IsatapFastPath | None:
        self._sent.clear()
        index = self._netlink.index(self._underlay)
        if index is None:
            return None
        if not self._want_fast:
            IsatapFastPath.remove_leftovers([index])
            return None
        setup = IsatapSetup(tun=self._tun.ifindex, underlays=(index,), mtu=self._machine.mtu)
        return self._io.load(setup, self._machine.link)

    # What the machine wants

    def _after(self) -> None:
        changed = False
        for event in self._machine.events():
            if isinstance(event, host.LinkChanged):
                changed = True
            elif isinstance(event, host.PeerSeen):
                if self._fast.programs is not None:
                    self._fast.programs.add_host(event.v4)
            else:
                self._apply(event)
        if changed and self._fast.programs is not None:
            self._fast.programs.sync(self._machine.link)

    def _apply(self, event: host.Event) -> None:
        """Make the kernel hold what the machine says. Raises :class:`KernelError`."""
        device, netlink = self._tun.name, self._netlink
        match event:
            case host.AddressSet():
                address = IPv6Interface((event.address, 64))
                valid, preferred = _life(event.valid), _life(event.preferred)
                netlink.add_address(device, address, valid=valid, preferred=preferred)
                self._addresses[str(address)] = None
            case AddressRemoved():
                address = IPv6Interface((event.address, 64))
                netlink.delete_address(device, address)
                self._addresses.pop(str(address), None)
            case host.RouteSet():
                prefix, via = IPv6Network((event.prefix, event.length)), IPv6Address(event.via)
                netlink.replace_route(prefix, device, via, self._metric, _preference(event.preference))
                self._routes[str(prefix)] = str(IPv4Address(event.router))
                log.info("%s is reached through %s", prefix, IPv4Address(event.router))
            case RouteRemoved():
                prefix = IPv6Network((event.prefix, event.length))
                netlink.delete_route(prefix, device, metric=self._metric)
                self._routes.pop(str(prefix), None)
                log.info("%s is not reached through the tunnel any more", prefix)
            case host.RouterChanged():
                self._router_changed(IPv4Address(event.v4), event.reach)
            case host.MtuChanged():
                netlink.set_up(device, event.mtu)
                self._io.mtu = event.mtu

    def _router_changed(self, router: IPv4Address, reach: Reach) -> None:
        level = logging.DEBUG
        if reach is Reach.UNREACHABLE:
            level = logging.WARNING
        elif reach is Reach.REACHABLE and not self.ready.is_set():
            self.ready.set()
            level = logging.INFO
        log.log(level, "router %s is %s", router, reach.value)

    # What is shown

    def status(self) -> RoleStatus:
        """Short and flat."""
        locator = self._machine.locator
        routers = {str(IPv4Address(v4)): router.reach.value for v4, router in self._machine.routers.items()}
        return {
            "fast_path": self._fast.status(),
            "name": self._router_name.name,
            "name_state": self._router_name.state,
            "locators": [str(IPv4Address(locator))] if locator else [],
            "routers": routers,
            "addresses": list(self._addresses),
            "routes": dict(self._routes),
        }

    def drops(self) -> list[DropRow]:
        """Refused packets by reason and source."""
        return self._fast.drops()

    def drop_totals(self) -> Mapping[str, int]:
        """Exact totals by reason."""
        return self._fast.drop_totals()


def _life(lifetime: int) -> int | None:
    return None if lifetime >= INFINITE else lifetime


def _preference(preference: Preference) -> Literal["low", "medium", "high"]:
    return cast(Literal["low", "medium", "high"], preference.name.lower())
