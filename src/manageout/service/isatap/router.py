"""The ISATAP router as a role of the daemon: machine, sockets, fast path, registry on disk, names."""

import asyncio
import logging
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from manageout.linux.bpf.isatap import Added, IsatapFastPath, IsatapSetup
from manageout.linux.host.memory import give_back
from manageout.linux.netlink.links import Netlink, NetworkLink
from manageout.linux.packets.tun import Tun
from manageout.protocol.core.prefixes import Prefix
from manageout.protocol.isatap.link import LinkRole, LinkState
from manageout.protocol.isatap.registry import Registry
from manageout.protocol.isatap.router import HostSeen, IsatapRouter, RouterConfig
from manageout.service.isatap.host_names import HostNames
from manageout.service.isatap.io import IsatapIo
from manageout.service.isatap.retiring import Retiring
from manageout.service.process.fast_path import RoleFastPath
from manageout.service.process.finding import Finding, finding
from manageout.service.process.metrics import Metric
from manageout.service.process.role import Role
from manageout.service.process.rows import DropRow, HostRow, RoleStatus
from manageout.service.process.runtime import Succession
from manageout.service.state.hosts import RegistryStore, host_row
from manageout.site.plan import Plan
from manageout.site.tables.site import IsatapTable, Site, needed
from manageout.wire.nd import Preference

TICK = 1.0
FLUSH = 4000
"""Hosts stored in one transaction."""
TRANSACTIONS = 5
"""At most so many a tick: the rest waits for the next, for storing must not starve answering."""
RUSH = 1000
"""So many new hosts leave something behind that is worth giving back."""
COUNTER_SHARE = 20
"""Reading the fast path's counters may take one part in so many of our time."""

log = logging.getLogger(__name__)


def settings(isatap: IsatapTable, plan: Plan) -> tuple[RouterConfig, LinkState]:
    """What the machine advertises, and the rules of the data path (without hosts), from a site file."""
    prefix, locators = plan.isatap_prefix.network_address.packed, [each.packed for each in isatap.locators]
    config = RouterConfig(
        prefix=prefix,
        locators=tuple(locators),
        advertised=tuple((each.network_address.packed, each.prefixlen) for each in plan.advertised),
        retired=tuple(each.network_address.packed for each in isatap.retired),
        preference=Preference[isatap.preference.upper()],
        default_route=isatap.default_route,
        router_lifetime=isatap.router_lifetime,
        valid=isatap.prefix_valid,
        preferred=isatap.prefix_preferred,
        mtu=isatap.mtu,
        rs_per_second=isatap.rs_per_second,
        max_drop_sources=isatap.max_drop_sources,
    )
    allowed = [Prefix(each.network_address.packed, each.prefixlen) for each in isatap.hosts]
    routers = [each.packed for each in isatap.routers]
    link = LinkState(LinkRole.ROUTER, prefixes=[prefix], locators=locators, allowed=allowed, routers=routers)
    return config, link


class IsatapRouterService(Role):
    """Serves the link on ``tun`` until cancelled. Raises :class:`ManageoutError` when it cannot start."""

    name = "isatap"

    def __init__(
        self,
        site: Site,
        plan: Plan,
        tun: Tun,
        netlink: Netlink,
        state_dir: Path,
        succession: Succession | None = None,
    ) -> None:
        self._succession = succession or Succession()
        self._tun, self._netlink = tun, netlink
        self._site, isatap = site, needed(site.isatap)
        self._store = RegistryStore(state_dir)
        self._registry = Registry(isatap.max_hosts, isatap.forget_after)
        self._registry.wall_offset = time.time() - time.monotonic()
        self._registry.load(iter(self._store.load()))
        config, link = settings(isatap, plan)
        self._machine = IsatapRouter(config, link, self._registry, random.random)
        self._retiring = Retiring(state_dir)
        self._machine.retire(self._retiring.prefixes(), time.monotonic())
        self._retire(self._retiring.read())
        self._io = IsatapIo(self._machine, tun, isatap.mtu, self._after)
        self._writer = ThreadPoolExecutor(1, "isatap-registry")
        self._names = HostNames(self._registry)
        self._fast = RoleFastPath(
            "ISATAP",
            self._machine.drops,
            self._load_fast_path,
            self._keep_counters,
            kept=(tun, self._succession, IsatapFastPath.OBJECT),
        )
        self._attached: list[int] = []
        """The devices that the programs were put on, or would have been."""
        self._slow_hosts = 0
        """How often the fast path had no room for one."""
        self._next_reading = 0.0
        self._hosts = self._tidied = len(self._registry)

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            self._fast.attach()
            with self._io:
                self._bind()
                self.ready.set()
                try:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._io.failure(), name="isatap-link")
                        group.create_task(self._keep(), name="isatap-registry")
                        group.create_task(self._names.run(), name="isatap-names")
                        group.create_task(self._fast.vouch(), name="isatap-vouch")
                finally:
                    self._say_farewell()
        finally:
            self._writer.shutdown()
            self._fast.detach()
            while (changes := self._registry.changes(FLUSH)) != ([], []) and self._store.write(*changes):
                pass
            self._store.close()

    def reload(self, site: Site, plan: Plan) -> None:
        """Go on with another site file; what hosts have stays theirs."""
        isatap = needed(site.isatap)
        config, link = settings(isatap, plan)
        for v4, locator in self._machine.link.hosts.items():
            link.register(v4, locator)
        self._registry.forget_after = isatap.forget_after
        self._registry.resize(isatap.max_hosts)
        before = self._machine.config
        config = config.after(before)
        self._machine.configure(config, link)
        if config.advertisement() != before.advertisement():
            self._machine.announce(time.monotonic())
            self._io.turn()
        self._io.mtu = isatap.mtu
        self._fast.reload()
        moved = _in_programs(needed(self._site.isatap)) != _in_programs(isatap)
        self._site = site
        self._bind()
        if moved:
            self._fast.attach_again()
        elif self._fast.programs is not None:
            self._fast.programs.sync(link)

    def recheck(self, changed: bool) -> None:
        """Whether the programs are where they were put; ``changed``: links or addresses may be others."""
        if changed and self.ready.is_set():
            self._bind()
        if self._site.daemon.fast_path and self.ready.is_set():
            self._fast.recheck((changed or self._fast.lost) and self._underlays() != self._attached)

    def _load_fast_path(self) -> IsatapFastPath | None:
        self._attached = self._underlays()
        if not self._site.daemon.fast_path:
            IsatapFastPath.remove_leftovers(self._attached)
            return None
        isatap, link = needed(self._site.isatap), self._machine.link
        self._slow_hosts = 0
        setup = IsatapSetup(
            tun=self._tun.ifindex,
            underlays=tuple(self._attached),
            mtu=isatap.mtu,
            max_hosts=isatap.max_hosts + len(link.routers),
            max_drop_sources=isatap.max_drop_sources,
            pins=self._succession.pins,
            orphan=self._succession.orphan,
        )
        return self._io.load(setup, link)

    def _keep_counters(self) -> None:
        self._read_counters()
        self._registry.settle()

    def _underlays(self) -> list[int]:
        return [link.ifindex for link in self._holders()]

    def _holders(self) -> list[NetworkLink]:
        """The devices that hold a locator."""
        locators = set(needed(self._site.isatap).locators)
        return [link for link, held in self._netlink.holdings() if locators & {each.ip for each in held}]

    def _bind(self) -> None:
        """Where locators are in a VRF, hosts are reached by its routes; while their card is away, as before."""
        vrfs = {link.vrf for link in self._holders()}
        if len(vrfs) == 1:
            self._io.raw.bind(vrfs.pop())

    def _after(self) -> None:
        """Tell the fast path and the names of hosts that came and went."""
        for event in self._machine.events():
            if isinstance(event, HostSeen):
                self._names.seen(event.v4)
                if self._fast.programs is not None:
                    self._add_host(self._fast.programs, event.v4, event.locator)
            elif self._fast.programs is not None:
                self._fast.programs.remove_host(event.v4)

    def _add_host(self, fast: IsatapFastPath, v4: bytes, locator: bytes) -> None:
        found = fast.add_host(v4, locator)
        if found is Added.KNOWN:  # it talks to another locator now; its counters start anew
            self._read_counters()
            self._registry.settle(v4)
            fast.remove_host(v4)
            found = fast.add_host(v4, locator)
        if found is Added.FULL and not self._slow_hosts:
            log.warning("the fast path has no room for %s: it takes the slow path", IPv4Address(v4))
        self._slow_hosts += found is Added.FULL

    async def _keep(self) -> None:
        """About once a second: counters into the registry, the registry onto disk, old hosts out of it."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            self._registry.wall_offset = time.time() - now
            if self._retiring.stale():
                self._retire(await loop.run_in_executor(self._writer, self._retiring.read))
            self._machine.on_timer(now)
            self._io.turn()
            if now >= self._next_reading:
                self._read_counters()
                self._next_reading = time.monotonic() + COUNTER_SHARE * (time.monotonic() - now)
            for _ in range(TRANSACTIONS):
                changed, removed = self._registry.changes(FLUSH)
                if not changed and not removed:
                    self._tidy()
                    break
                written = loop.run_in_executor(self._writer, self._store.write, changed, removed)
                if not await written:
                    self._registry.unsaved(changed, removed)
                    break

    def _retire(self, networks: list[IPv4Network]) -> None:
        self._retiring.take(networks)
        self._machine.retire(self._retiring.prefixes(), time.monotonic())

    def _tidy(self) -> None:
        """When a rush of new hosts is over, give back what the tables left behind as they grew."""
        before, self._hosts = self._hosts, len(self._registry)
        if self._hosts == before and before > self._tidied + RUSH:
            self._tidied = before
            give_back()

    def _read_counters(self) -> None:
        for v4, *counters, last in self._fast.programs.counters() if self._fast.programs else ():
            self._registry.fast_path(v4, counters, last)

    def _say_farewell(self) -> None:
        isatap = needed(self._site.isatap)
        if isatap.farewell and not self._succession.follows:
            self._machine.farewell(isatap.prefix_valid, time.monotonic())

    # What the daemon shows

    def status(self) -> RoleStatus:
        """Short and flat."""
        isatap, machine = needed(self._site.isatap), self._machine
        return {
            "fast_path": self._fast.status(),
            "hosts": len(self._registry),
            "locators": [str(locator) for locator in isatap.locators],
            "name": isatap.name,
            "allowed": [str(network) for network in isatap.hosts],
            "solicitations": machine.solicitations,
            "advertisements": machine.advertisements,
            **({"retiring": list(map(str, self._retiring.networks))} if self._retiring.networks else {}),
        }

    def hosts(self) -> Iterator[HostRow]:
        """Every host of the registry, with counters as of now. Times are Unix seconds."""
        self._read_counters()
        prefix, retires = self._machine.config.prefix[:8], self._machine.retires
        # The rows are made while they are sent: there may be many, and packets come first.
        return (host_row(record, prefix, retires(record.v4)) for record in list(self._registry))

    def findings(self) -> list[Finding]:
        """What somebody should look at."""
        stored = self._store.findings("HOSTS", "after a restart those of now would be forgotten")
        found = [*self._retiring.findings(), *stored, *self._fast.findings()]
        if self._slow_hosts and self._fast.programs is not None:
            found.append(finding("ISATAP-FAST-PATH-FULL", times=self._slow_hosts))
        return found

    def drops(self) -> list[DropRow]:
        """Refused packets by reason and source."""
        return self._fast.drops()

    def drop_totals(self) -> Mapping[str, int]:
        """Exact totals by reason."""
        return self._fast.drop_totals()

    def metrics(self) -> Iterable[Metric]:
        """Hosts and Neighbour Discovery."""
        machine = self._machine
        yield Metric("isatap_hosts", len(self._registry))
        yield Metric("isatap_solicitations", machine.solicitations)
        yield Metric("isatap_advertisements", machine.advertisements)
        yield Metric("isatap_retiring", sum(1 for _ in machine.retiring()))
        yield Metric("isatap_fast_path", self._fast.programs is not None)


def _in_programs(isatap: IsatapTable) -> tuple[object, ...]:
    """What is fixed when the programs are loaded."""
    return isatap.locators, isatap.mtu, isatap.max_hosts, isatap.max_drop_sources
