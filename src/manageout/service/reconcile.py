"""Desired state -> ordered steps, each harmless when repeated -> the kernel; and back again at the end.

The order: devices (still down; taking their names proves that no other daemon runs here), packet filter,
parameters, addresses, routes: nothing can pass before the rules stand. What must be undone outlives a SIGKILL in
the runtime directory, so the next start or stop undoes it. Devices need no record: they vanish with the process
that holds them.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv6Address, ip_network
from typing import NamedTuple

from manageout.errors import KernelError, ManageoutError
from manageout.linux import nft, proxy_arp, sysctl
from manageout.linux.netlink import Interface, Netlink
from manageout.linux.nft_table import GUARD_TABLE, RuleTables
from manageout.linux.tun import Tun
from manageout.service.desired import Desired, Device, WantedRoute
from manageout.service.gate import Gate
from manageout.service.guard import IPV4_FORWARDING, IPV6_FORWARDING, Router
from manageout.service.runtime import RuntimeDir
from manageout.words import counted

log = logging.getLogger(__name__)


class Step(NamedTuple):
    """One change: what it says in ``--dry-run`` and the log, and how it is made."""

    text: str
    act: Callable[[], object]


@dataclass
class Leftovers:
    """What we have put into the kernel that does not vanish with the process."""

    sysctls: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name -> (value before us, value that we set)."""
    routes: set[WantedRoute] = field(default_factory=set)
    filter: bool = False

    @classmethod
    def read(cls, runtime: RuntimeDir) -> Leftovers:
        """From the runtime directory; what cannot be read counts as nothing."""
        found = runtime.remembered()
        try:
            routes = {
                WantedRoute(ip_network(prefix), IPv6Address(via) if via else None, dev)
                for prefix, via, dev in found["routes"]
            }
            sysctls = {str(name): (str(old), str(ours)) for name, (old, ours) in found["sysctls"].items()}
            return cls(sysctls, routes, bool(found["filter"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def write(self, runtime: RuntimeDir) -> None:
        """Into the runtime directory."""
        routes = [
            [str(route.prefix), str(route.via) if route.via else None, route.dev]
            for route in sorted(self.routes, key=str)
        ]
        something = self.sysctls or self.routes or self.filter
        left = {"sysctls": self.sysctls, "routes": routes, "filter": self.filter}
        runtime.remember(left if something else {})


class Reconciler:
    """Owns what the daemon has put into the kernel.

    ``beside``: for a preview beside a running daemon, whose devices count as there. Only :meth:`apply` and
    :meth:`undo` change anything; both raise :class:`KernelError`, :class:`NotPermitted`.
    """

    def __init__(self, netlink: Netlink, runtime: RuntimeDir, beside: bool = False) -> None:
        self.tuns: dict[str, Tun] = {}
        self.rules = RuleTables()
        self.gate = Gate(netlink)
        """While it is closed no device is brought up, and no route leads into one."""
        self._netlink = netlink
        self._runtime = runtime
        self._beside = beside
        self._left = Leftovers.read(runtime)
        if not self._left.sysctls and not beside:
            self._left = _by_the_guard(self.rules.guard()) or self._left

    def steps(self, desired: Desired) -> list[Step]:
        """What has to be done now, in order; reads the kernel, changes nothing."""
        return [
            *self._create_steps(desired),
            *self._filter_steps(desired),
            *self._sysctl_steps(desired),
            *self._address_steps(desired),
            *self._route_steps(desired),
        ]

    def apply(self, desired: Desired) -> None:
        """Do :meth:`steps`, logging each."""
        for step in self.steps(desired):
            log.info("%s", step.text)
            step.act()
            self._left.write(self._runtime)

    def undo(self) -> None:
        """Take back everything that :meth:`apply`, or a killed process before us, has done."""
        for step in self.undo_steps():
            log.info("%s", step.text)
            try:
                step.act()
            except ManageoutError as error:  # the rest must still be undone
                log.warning("%s: %s", step.text, error.message)
        self.tuns = {}
        self._left = Leftovers()
        self._left.write(self._runtime)

    def undo_steps(self) -> list[Step]:
        """What :meth:`undo` would do now."""
        return list(self._undo_steps())

    def _sysctl_steps(self, desired: Desired) -> Iterator[Step]:
        for name, value in desired.sysctls:
            now = sysctl.find(name)  # those of connection tracking come with the packet filter
            if now != value:
                text = f"set {name} = {value} (now {'not there' if now is None else now})"
                yield Step(text, partial(self._set, name, value))

    def _set(self, name: str, value: str) -> None:
        for each, before in sysctl.affected(name).items():
            self._left.sysctls.setdefault(each, (before, value))
        self._left.write(self._runtime)  # first, for a kill in between
        sysctl.set(name, value)

    def _filter_steps(self, desired: Desired) -> Iterator[Step]:
        def load() -> None:
            self._left.filter = True
            self._left.write(self._runtime)
            self.rules.load(desired.filter, desired.guard)

        tables = f"tables {nft.TABLE} and {GUARD_TABLE}" if desired.guard else f"table {nft.TABLE}"
        yield Step(f"load the packet filter {tables}", load)

    def _create_steps(self, desired: Desired) -> Iterator[Step]:
        for device in desired.devices:
            if not self._has(device):
                yield Step(f"create device {device.name}, MTU {device.mtu}", partial(self._create, device))

    def _has(self, device: Device) -> bool:
        there = self._beside and self._netlink.index(device.name) is not None
        return there or device.name in self.tuns

    def _address_steps(self, desired: Desired) -> Iterator[Step]:
        for device in desired.devices:
            have = set(self._netlink.addresses(device.name)) if self._has(device) else set()
            for gone in have - set(device.addresses):
                yield self._address_step("remove", self._netlink.delete_address, device, gone)
            for address in device.addresses:
                if address not in have:
                    yield self._address_step("add", self._netlink.add_address, device, address)
            if not self.gate.closed and not self._is_up(device):
                up = partial(self._netlink.set_up, device.name, device.mtu)
                yield Step(f"bring {device.name} up, MTU {device.mtu}", up)

    def _create(self, device: Device) -> None:
        self.tuns[device.name] = Tun.open(device.name, device.mtu, device.vnet_hdr)
        with contextlib.suppress(KernelError):  # where IPv6 is off for new devices
            sysctl.set(f"net/ipv6/conf/{device.name}/disable_ipv6", 0)

    def _address_step(
        self, verb: str, act: Callable[[str, Interface], None], device: Device, address: Interface
    ) -> Step:
        place = "to" if verb == "add" else "from"
        return Step(f"{verb} address {address} {place} {device.name}", partial(act, device.name, address))

    def _is_up(self, device: Device) -> bool:
        return any(
            link.name == device.name and link.up and link.mtu == device.mtu for link in self._netlink.links()
        )

    def _route_steps(self, desired: Desired) -> Iterator[Step]:
        have = {
            (route.prefix, route.via or route.dev)
            for family in (socket.AF_INET, socket.AF_INET6)
            for route in self._netlink.routes(family)
        }
        for gone in sorted(self._left.routes - set(desired.routes), key=str):
            yield Step(f"remove route {gone}", partial(self._remove, gone))
        for route in desired.routes:
            if self.gate.closed and route.dev is not None:
                continue  # there is no way into a device that is down
            if (route.prefix, route.via or route.dev) not in have or route not in self._left.routes:
                yield Step(f"add route {route}", partial(self._route, route))

    def _route(self, route: WantedRoute) -> None:
        self._left.routes.add(route)
        self._netlink.replace_route(route.prefix, dev=route.dev, via=route.via)

    def _remove(self, route: WantedRoute) -> None:
        self._netlink.delete_route(route.prefix, dev=route.dev, via=route.via)
        self._left.routes.discard(route)

    def router_before(self) -> Router:
        """What this machine forwarded before us."""
        names = [link.name for link in self._netlink.links() if not link.name.startswith("mo-")]
        ipv4, ipv6 = (self._was(name) == "1" for name in (IPV4_FORWARDING, IPV6_FORWARDING))
        touched = IPV4_FORWARDING in self._left.sysctls
        devices4 = (
            name
            for name in names
            if self._was(f"net/ipv4/conf/{name}/forwarding", "0" if touched else None) == "1"
        )
        devices6 = (name for name in names if sysctl.find(f"net/ipv6/conf/{name}/force_forwarding") == "1")
        return Router(ipv4, ipv6, () if ipv4 else tuple(devices4), () if ipv6 else tuple(devices6))

    def _was(self, name: str, unless_noted: str | None = None) -> str | None:
        """The value of a kernel parameter before us."""
        ours = self._left.sysctls.get(name)
        return ours[0] if ours else unless_noted or sysctl.find(name)

    def _undo_steps(self) -> Iterator[Step]:
        if proxied := proxy_arp.proxied():
            yield Step(f"answer no more ARP for {counted(len(proxied), 'lease')}", proxy_arp.remove_all)
        for route in sorted(self._left.routes, key=str):
            yield Step(f"remove route {route}", partial(self._remove, route))
        for name, tun in self.tuns.items():
            yield Step(f"remove device {name}", tun.close)
        for name, (before, ours) in self._left.sysctls.items():
            # Somebody else may have changed it since; that is not ours to undo.
            if sysctl.find(name) == ours:
                yield Step(f"set {name} = {before}, as before", partial(sysctl.set, name, before))
        if self._left.filter:
            yield Step(f"remove the packet filter table {nft.TABLE}", self._unload)

    def _unload(self) -> None:
        """After the parameters: where forwarding could not be turned off again, the guard stays."""
        forwarding = [
            (name, *self._left.sysctls[name])
            for name in (IPV4_FORWARDING, IPV6_FORWARDING)
            if name in self._left.sysctls
        ]
        still = any(before != ours and sysctl.find(name) == ours for name, before, ours in forwarding)
        self.rules.delete(guard=not still)


def _by_the_guard(text: str) -> Leftovers | None:
    """What a killed process has left whose note is lost: its guard says which forwarding was off before it."""
    families = {"ipv4": IPV4_FORWARDING, "ipv6": IPV6_FORWARDING}
    sysctls = {name: ("0", "1") for family, name in families.items() if f"nfproto {family}" in text}
    return Leftovers(sysctls, filter=True) if sysctls else None
