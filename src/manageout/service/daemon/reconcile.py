"""Desired state -> ordered steps, each harmless when repeated -> the kernel; and back again at the end.

The order: devices (still down; taking their names proves that no other daemon runs here), packet filter,
parameters, addresses, routes: nothing can pass before the rules stand. What must be undone outlives a SIGKILL in
the runtime directory, so the next start or stop undoes it. Devices need no record: they vanish with the process
that holds them, but for those whose eBPF programs go on without it. These are taken over as they are, with all that the
kernel holds for them, if what kept connections from beginning meanwhile still stands; else they are undone, too.
"""

import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from ipaddress import IPv6Address, IPv6Network, ip_network
from pathlib import Path
from typing import NamedTuple, Self

from manageout.errors import ManageoutError
from manageout.linux.bpf import pins
from manageout.linux.bpf.fast_path import names_of
from manageout.linux.host import sysctl
from manageout.linux.netlink import neighbours
from manageout.linux.netlink.links import KERNEL, PROTO, Interface, KernelRoute, Netlink
from manageout.linux.netlink.messages import Refused
from manageout.linux.nft import program as nft
from manageout.linux.nft.tables import GUARD_TABLE, TIMEOUTS_TABLE, RuleTables
from manageout.linux.packets.tun import Tun
from manageout.service.daemon.desired import Desired, DesiredRoute, Device
from manageout.service.daemon.gate import Gate
from manageout.service.policy.guard import IPV4_FORWARDING, IPV6_FORWARDING, Router, stands
from manageout.service.process.runtime import RuntimeDir
from manageout.site.plan import ISATAP_DEVICE, XLAT_DEVICE
from manageout.words import counted

FORWARDING = (IPV4_FORWARDING, IPV6_FORWARDING)
ONE_BY_ONE = 32
"""So many routes are asked for singly; with more, all of ours are listed."""

log = logging.getLogger(__name__)


class StepKind(StrEnum):
    """What a step mends, as findings call it when it cannot be mended."""

    OTHER = ""
    FORWARDING = "FORWARDING-OFF"
    IPV6 = "IPV6-OFF"
    SETTING = "SETTING-LOST"
    DEVICE = "DEVICE-DOWN"
    ADDRESS = "ADDRESS-TAKEN"
    ROUTE = "ROUTE-TAKEN"

    @property
    def shared(self) -> bool:
        """Whether others may have a will of their own about it, or refuse it: a parameter of the kernel."""
        return self in (StepKind.FORWARDING, StepKind.IPV6, StepKind.SETTING)


class Step(NamedTuple):
    """One change: what it says in ``--dry-run`` and the log, and how it is made. ``about``: what is changed."""

    text: str
    act: Callable[[], object]
    kind: StepKind = StepKind.OTHER
    about: str = ""


@dataclass
class Leftovers:
    """What we have put into the kernel that does not vanish with the process."""

    sysctls: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name -> (value before us, value that we set)."""
    routes: set[DesiredRoute] = field(default_factory=set)
    filter: bool = False
    learnt: dict[str, str] = field(default_factory=dict)
    """Device -> router of IPv6 default routes that turning forwarding on has removed."""

    @classmethod
    def read(cls, runtime: RuntimeDir) -> Self:
        """From the runtime directory; what cannot be read counts as nothing."""
        found = runtime.remembered()
        try:
            routes = {
                DesiredRoute(ip_network(prefix), IPv6Address(via) if via else None, dev)
                for prefix, via, dev in found["routes"]
            }
            sysctls = {str(name): (str(old), str(ours)) for name, (old, ours) in found["sysctls"].items()}
            learnt = {str(dev): str(via) for dev, via in found.get("learnt", {}).items()}
            return cls(sysctls, routes, bool(found["filter"]), learnt)
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def write(self, runtime: RuntimeDir) -> None:
        """Into the runtime directory."""
        ordered = sorted(self.routes, key=str)
        routes = [[str(each.prefix), str(each.via) if each.via else None, each.dev] for each in ordered]
        something = self.sysctls or self.routes or self.filter
        left = {"sysctls": self.sysctls, "routes": routes, "filter": self.filter, "learnt": self.learnt}
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
        self._pins = pins.directory(runtime.path)
        self._left = Leftovers.read(runtime)
        if not self._left.sysctls and not beside:
            self._left = _by_the_guard(self.rules.guard()) or self._left

    def take_over(self, desired: Desired) -> bool:
        """Begin with what an earlier process has left; what cannot go on as it is, is undone. Whether it goes on."""
        pins.sweep()
        for each in pins.neighbours(self._pins):
            self._end_dead(each)
        left = self._outlived()
        intact = self._left.filter and stands(self.rules.guard())
        if left and not intact:  # what has begun meanwhile nobody has judged
            self._runtime.tear()
        # A guard that keeps nothing is wanted by whom nothing is to outlive.
        wanted = {device.name for device in desired.devices} if stands(desired.guard) else set()
        self._remove_forlorn(left)
        if not left or not intact or not left <= wanted:
            self.undo()
            return False
        log.info("going on with %s, which outlived the process before", ", ".join(sorted(left)))
        return True

    def _remove_forlorn(self, known: set[str]) -> None:
        """Devices that persist, but of whose programs the names are lost; one that somebody holds is not removed."""
        for name in {ISATAP_DEVICE, XLAT_DEVICE} - known:
            if self._netlink.index(name) is not None:
                with contextlib.suppress(ManageoutError):
                    Tun.remove(name)
                    log.info("removed device %s, which nobody held", name)

    def _outlived(self) -> set[str]:
        """Devices of ours that go on without a process."""
        return {*names_of(pins.tuns(self._pins)).values()} - self.tuns.keys()

    def _end_dead(self, instance: Path) -> None:
        """Another instance, here, that nobody runs: as its devices can be taken, or are gone."""
        try:
            for name in names_of(pins.tuns(instance)).values():
                Tun.remove(name)
                log.info("removed device %s, left by an instance with another runtime directory", name)
        except ManageoutError:
            return
        pins.remove(instance)

    def steps(self, desired: Desired, rules: bool = True) -> list[Step]:
        """What has to be done now, in order; reads the kernel, changes nothing. Without ``rules``: they stand."""
        return [
            *self._create_steps(desired),
            *(self._filter_steps(desired) if rules else ()),
            *self._sysctl_steps(desired),
            *self._address_steps(desired),
            *self._route_steps(desired),
        ]

    def apply(self, desired: Desired, rules: bool = True) -> None:
        """Do :meth:`steps`, logging each.

        A parameter that cannot be set is no reason not to serve, nor is a card that is away, by which a next hop is
        reached: at the boot cards may come later than we. :meth:`repairs` goes on trying.
        """
        self._do(self.steps(desired, rules))

    def load_rules(self, desired: Desired) -> None:
        """Only these."""
        self._do(list(self._filter_steps(desired)))

    def _do(self, steps: list[Step]) -> None:
        for step in steps:
            log.info("%s", step.text)
            try:
                self.act(step)
            except ManageoutError as error:
                if not step.kind.shared and not _is_away(step, error):
                    raise
                log.warning("%s (%s)", error.message, error.hint)

    def act(self, step: Step) -> None:
        """Do one step, and note what has to be undone."""
        step.act()
        self._left.write(self._runtime)

    def repairs(self, desired: Desired, settings_only: bool = False) -> Iterator[Step]:
        """What somebody has changed since :meth:`apply`, without devices that were deleted and the packet filter.

        Each step is looked for when the one before it is done. ``settings_only``: only parameters, which cost least.
        """
        yield from self._sysctl_steps(desired)
        yield from self._device_settings(desired)
        if not settings_only:
            yield from self._address_steps(desired)
            yield from self._link_route_steps(desired)
            yield from self._route_steps(desired)

    def undo(self) -> None:
        """Take back everything that :meth:`apply`, or a killed process before us, has done."""
        for step in self.undo_steps():
            log.info("%s", step.text)
            try:
                step.act()
            except ManageoutError as error:  # the rest must still be undone
                log.warning("%s: %s", step.text, error.message)
        if not self._outlived():  # one that could not be removed is held: by whom names are as ours are
            pins.remove(self._pins)
        self.tuns = {}
        self._left = Leftovers(learnt=self._left.learnt)
        self._left.write(self._runtime)

    def undo_steps(self) -> list[Step]:
        """What :meth:`undo` would do now."""
        return list(self._undo_steps())

    def _sysctl_steps(self, desired: Desired) -> Iterator[Step]:
        for name, value in desired.sysctls:
            now = sysctl.find(name)  # those of connection tracking come with the packet filter
            if now != value:
                yield self._setting(
                    name, value, now, StepKind.SETTING if name not in FORWARDING else StepKind.FORWARDING
                )

    def _device_settings(self, desired: Desired) -> Iterator[Step]:
        """Parameters of our own devices that are right by themselves when these are made."""
        for device in desired.devices:
            wanted = [(f"net/ipv6/conf/{device.name}/disable_ipv6", "0", StepKind.IPV6)]
            if (IPV4_FORWARDING, "1") in desired.sysctls:
                wanted.append((f"net/ipv4/conf/{device.name}/forwarding", "1", StepKind.FORWARDING))
            for name, value, kind in wanted:
                if (now := sysctl.find(name)) not in (None, value):
                    yield self._setting(name, value, now, kind)

    def _setting(self, name: str, value: str, now: str | None, kind: StepKind) -> Step:
        text = f"set {name} = {value} (now {'not there' if now is None else now})"
        return Step(text, partial(self._set, name, value), kind, name)

    @property
    def learnt(self) -> dict[str, str]:
        """Device -> router of IPv6 default routes that turning forwarding on has removed."""
        return self._left.learnt

    def _set(self, name: str, value: str) -> None:
        if name == IPV6_FORWARDING:
            defaults = self._netlink.learnt_defaults()
            self._left.learnt |= {str(route.dev): str(route.via) for route in defaults}
        for each, before in sysctl.affected(name).items():
            self._left.sysctls.setdefault(each, (before, value))
        self._left.write(self._runtime)  # first, for a kill in between
        sysctl.set(name, value)

    def _filter_steps(self, desired: Desired) -> Iterator[Step]:
        def load() -> None:
            self._left.filter = True
            self._left.write(self._runtime)
            self.rules.load(desired.filter, desired.guard, desired.timeouts)

        beside = [(GUARD_TABLE, desired.guard), (TIMEOUTS_TABLE, desired.timeouts)]
        tables = [nft.TABLE, *(table for table, body in beside if body)]
        words = "table" if len(tables) == 1 else "tables"
        yield Step(f"load the packet filter {words} {', '.join(tables)}", load)

    def _create_steps(self, desired: Desired) -> Iterator[Step]:
        for device in desired.devices:
            if not self._has(device):
                text = f"device {device.name}, MTU {device.mtu}"
                verb = "go on with" if device.name in self._outlived() else "create"
                yield Step(f"{verb} {text}", partial(self._create, device))

    def _has(self, device: Device) -> bool:
        there = self._beside and self._netlink.index(device.name) is not None
        return there or device.name in self.tuns

    def _address_steps(self, desired: Desired) -> Iterator[Step]:
        for device in desired.devices:
            # To add an address that is there takes its route away for a moment.
            there = self._has(device) or device.name in self._outlived()
            have = set(self._netlink.addresses(device.name)) if there else set()
            for gone in have - set(device.addresses):
                yield self._address_step("remove", self._netlink.delete_address, device, gone)
            for address in device.addresses:
                if address not in have:
                    yield self._address_step("add", self._netlink.add_address, device, address)
            if not self.gate.closed and not self._is_up(device):
                up = partial(self._netlink.set_up, device.name, device.mtu)
                yield Step(f"bring {device.name} up, MTU {device.mtu}", up, StepKind.DEVICE, device.name)

    def _create(self, device: Device) -> None:
        adopt = device.name in self._outlived()
        self.tuns[device.name] = Tun.open(device.name, device.mtu, device.vnet_hdr, adopt)
        with contextlib.suppress(ManageoutError):  # where IPv6 is off for new devices
            sysctl.set(f"net/ipv6/conf/{device.name}/disable_ipv6", 0)

    def _address_step(
        self, verb: str, act: Callable[[str, Interface], None], device: Device, address: Interface
    ) -> Step:
        text = f"{verb} address {address} {'to' if verb == 'add' else 'from'} {device.name}"
        return Step(text, partial(act, device.name, address), StepKind.ADDRESS, f"{address} on {device.name}")

    def _link_route_steps(self, desired: Desired) -> Iterator[Step]:
        """The routes to clients and hosts on our links come with the addresses, but can be taken away without them.

        To add an address that is there makes the kernel put its route back.
        """
        for device in desired.devices:
            if self.gate.closed or not self._is_up(device):
                continue
            for network, address in {each.network: each for each in device.addresses}.items():
                if not self._is_linked(device.name, network):
                    add = partial(self._netlink.add_address, device.name, address)
                    text = f"add route {network} into {device.name}"
                    yield Step(text, add, StepKind.ROUTE, f"{network} on {device.name}")

    def _is_linked(self, dev: str, network: IPv6Network) -> bool:
        """Whether the kernel has its route to what is on a link. One question, unless others have a longer prefix."""
        if network.prefixlen == network.max_prefixlen:
            return True  # an address of this machine itself
        best = self._netlink.best_route(network.broadcast_address - 1, dev)
        if best is not None and (best.prefix, best.dev) == (network, dev):
            return True
        routes = self._netlink.routes(socket.AF_INET6, KERNEL)
        return any((route.prefix, route.dev) == (network, dev) for route in routes)

    def _is_up(self, device: Device) -> bool:
        link = self._netlink.link(device.name)
        return link is not None and link.up and link.mtu == device.mtu

    def _route_steps(self, desired: Desired) -> Iterator[Step]:
        have = self._have(desired.routes)
        for gone in sorted(self._left.routes - set(desired.routes), key=str):
            yield Step(f"remove route {gone}", partial(self._remove, gone))
        for route in desired.routes:
            if self.gate.closed and route.dev is not None:
                continue  # there is no way into a device that is down
            if route not in have or route not in self._left.routes:
                yield Step(
                    f"add route {route}", partial(self._route, route), StepKind.ROUTE, str(route.prefix)
                )

    def _have(self, wanted: Sequence[DesiredRoute]) -> set[DesiredRoute]:
        """Those of ``wanted`` that are there: one question each, for others may have a hundred thousand routes."""
        if len(wanted) <= ONE_BY_ONE:
            best = {route: self._netlink.best_route(route.prefix.network_address) for route in wanted}
            if all(found is not None and _same(route, found) for route, found in best.items()):
                return set(wanted)
        ours = [
            route for family in (socket.AF_INET, socket.AF_INET6) for route in self._netlink.routes(family)
        ]
        return {route for route in wanted if any(_same(route, found) for found in ours)}

    def overruled(self, desired: Desired) -> Iterator[tuple[DesiredRoute, KernelRoute | None]]:
        """Routes of ours that packets do not follow, and which they follow instead, if one of the same prefix.

        Of so many as can be asked for singly. Somebody's longer prefix is for a part of ours, which may be meant.
        """
        for route in desired.routes[:ONE_BY_ONE]:
            somebody = route.prefix.network_address
            best = self._netlink.best_route(somebody)
            if route not in self._left.routes or (best is not None and _same(route, best)):
                continue
            if best.prefix == route.prefix if best is not None else self._netlink.is_barred(somebody):
                yield route, best

    def _route(self, route: DesiredRoute) -> None:
        self._left.routes.add(route)
        self._netlink.replace_route(route.prefix, dev=route.dev, via=route.via)

    def _remove(self, route: DesiredRoute) -> None:
        self._netlink.delete_route(route.prefix, dev=route.dev, via=route.via)
        self._left.routes.discard(route)

    def router_before(self) -> Router:
        """What this machine forwarded before us."""
        names = [link.name for link in self._netlink.links() if not link.name.startswith("mo-")]
        ipv4, ipv6 = (self._was(name) == "1" for name in (IPV4_FORWARDING, IPV6_FORWARDING))
        unless_noted = "0" if IPV4_FORWARDING in self._left.sysctls else None
        were = ((name, self._was(f"net/ipv4/conf/{name}/forwarding", unless_noted)) for name in names)
        devices4 = (name for name, before in were if before == "1")
        devices6 = (name for name in names if sysctl.find(f"net/ipv6/conf/{name}/force_forwarding") == "1")
        return Router(ipv4, ipv6, () if ipv4 else tuple(devices4), () if ipv6 else tuple(devices6))

    def _was(self, name: str, unless_noted: str | None = None) -> str | None:
        """The value of a kernel parameter before us."""
        ours = self._left.sysctls.get(name)
        return ours[0] if ours else unless_noted or sysctl.find(name)

    def _undo_steps(self) -> Iterator[Step]:
        if proxied := neighbours.proxied():
            yield Step(f"answer no more ARP for {counted(len(proxied), 'lease')}", neighbours.remove_proxies)
        for route in sorted(self._left.routes, key=str):
            yield Step(f"remove route {route}", partial(self._remove, route))
        for name, tun in self.tuns.items():
            yield Step(f"remove device {name}", tun.close)
        for name in sorted(self._outlived()):
            yield Step(f"remove device {name}", partial(Tun.remove, name))
        for name, (before, ours) in self._left.sysctls.items():
            # Somebody else may have changed it since; that is not ours to undo.
            if sysctl.find(name) == ours:
                yield Step(f"set {name} = {before}, as before", partial(sysctl.set, name, before))
        if self._left.filter:
            yield Step(f"remove the packet filter table {nft.TABLE}", self._unload)

    def _unload(self) -> None:
        """After the parameters: where forwarding could not be turned off again, the guard stays."""
        forwarding = [(name, *self._left.sysctls[name]) for name in FORWARDING if name in self._left.sysctls]
        still = any(before != ours and sysctl.find(name) == ours for name, before, ours in forwarding)
        self.rules.delete(guard=not still)


def _by_the_guard(text: str) -> Leftovers | None:
    """What a killed process has left whose note is lost: its guard says which forwarding was off before it."""
    families = {"ipv4": IPV4_FORWARDING, "ipv6": IPV6_FORWARDING}
    sysctls = {name: ("0", "1") for family, name in families.items() if f"nfproto {family}" in text}
    return Leftovers(sysctls, filter=True) if sysctls else None


def _is_away(step: Step, error: ManageoutError) -> bool:
    """Whether it is a route whose next hop is on no link now."""
    number = error.number if step.kind is StepKind.ROUTE and isinstance(error, Refused) else 0
    return number in (errno.ENETUNREACH, errno.EHOSTUNREACH)


def _same(wanted: DesiredRoute, found: KernelRoute) -> bool:
    way = found.via == wanted.via if wanted.via else found.dev == wanted.dev
    return way and found.prefix == wanted.prefix and found.protocol == PROTO
