"""A remote client's name policy: which names go through the tunnel, and whether they do just now.

Like the Name Resolution Policy Table of Windows: while the machine is outside, the names of the site go to the
gateway's DNS64 and all others stay with the DNS servers of the network that the machine is in. Inside, told by
the network-location probe, everything stays there. What is needed comes from the gateway's router advertisements
(RFC 8106: servers and domains) unless the command line says it.

Carried out through systemd-resolved where ``/etc/resolv.conf`` leads to it, else by our own stub, which takes
that file over. The NAT64 prefix, for IPv4 literals, comes from the advertisement or from a question (RFC 7050).
"""

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from typing import Literal

from manageout.errors import ManageoutError
from manageout.linux.host import netns
from manageout.linux.netlink.events import AddressMonitor
from manageout.protocol.host import pref64
from manageout.protocol.host.link_names import NamesSeen
from manageout.protocol.host.name_policy import Rules, reverse_zone
from manageout.service.process import loops, role, rows
from manageout.service.process.finding import Finding, finding
from manageout.service.resolver import resolv_conf, resolved
from manageout.service.resolver.location import Location, LocationUrl, watch
from manageout.service.resolver.resolv_conf import Guard, ResolvConf
from manageout.service.resolver.resolved import Resolved
from manageout.service.resolver.stub import ADDRESSES, DnsStubService, ask
from manageout.service.tls import contexts as tls

Way = Literal["auto", "resolved", "stub", "off"]
LOOK_EVERY = 2.0
"""Seconds between looks at /etc/resolv.conf, which others may write at any time."""
RETRY = 30.0
WITHDRAWN_FOR = 10.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NameOptions:
    """What the command line says."""

    way: Way = "auto"
    domains: tuple[str, ...] = ()
    """Besides the advertised ones."""
    servers: tuple[str, ...] = ()
    """Instead of the advertised ones."""
    exempt: tuple[str, ...] = ()
    location: LocationUrl | None = None
    context: Callable[[], ssl.SSLContext] = tls.system_authorities
    """For the location."""


NOT_YET = "not yet connected"


@dataclass(frozen=True)
class Wanted:
    """What the policy is to be; ``reason``: why it is off, empty when it is on."""

    reason: str = ""
    servers: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()


class NamePolicyService(role.Role):
    """Runs until cancelled, then leaves the resolver as it was. Shown as the role ``name-policy``."""

    name = "name-policy"

    def __init__(
        self,
        options: NameOptions,
        device: str,
        *,
        addresses: Callable[[], Collection[str]],
        routes: Callable[[], Iterable[str]],
        connected: Callable[[], bool],
        path: ResolvConf | None = None,
    ) -> None:
        """``addresses`` and ``routes`` of the tunnel ``device``, and whether it is ``connected``, at any time."""
        self.stub = DnsStubService(device)
        self.discovery = pref64.Pref64Discovery()
        self._options, self._device = options, device
        self._addresses, self._routes, self._connected = addresses, routes, connected
        self._file = path or ResolvConf()
        self._resolved = Resolved(device)
        self._seen = NamesSeen()
        self._withdrawn: float | None = None
        self._location: Location | None = None
        self._probed = 0.0
        self._applied = Wanted(NOT_YET)
        self._heard = False
        self._way, self._fault, self._remedy = "", "", ""
        self._changed, self._moved, self._asked = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._may_touch = False
        self._told: tuple[tuple[str, ...], ...] | None = None
        self._guard: Guard | None = None
        self._stub_task: asyncio.Task[None] | None = None

    def prepare(self) -> None:
        """Before any privilege is given up: undo what a dead process has left. Raises :class:`ManageoutError`."""
        # Now, because /proc/1 is hidden from a process without privileges.
        self._may_touch = netns.is_of_machine() or netns.is_mount(resolv_conf.PATH)
        if self._options.way == "off" or not self._may_touch:
            return
        with contextlib.suppress(ManageoutError):  # another client has it: a fault if we need it ourselves
            if self._file.recover():
                log.warning("%s was left by a process that was killed: put right", resolv_conf.PATH)

    def advertised(self, names: NamesSeen) -> None:
        """What the gateway advertises has changed.

        A gateway that stops withdraws its servers, and lifetimes may end while it is away. Names of the site must
        not go elsewhere meanwhile: that counts only once the tunnel has been up without them for a while.
        """
        self._withdrawn = time.monotonic() if self._seen.servers and not names.servers else None
        if self._withdrawn is None:
            self._believe(names)

    def _believe(self, names: NamesSeen) -> None:
        self._seen, self._withdrawn = names, None
        self.discovery.advertised = tuple(IPv6Network(prefix) for prefix in names.nat64)
        self._changed.set()

    async def run(self) -> None:
        """Keep the policy as it should be."""
        self._changed.set()
        self.ready.set()
        try:
            with loops.heard(AddressMonitor(), self._on_network_change):
                async with asyncio.TaskGroup() as self._group:
                    self._group.create_task(self._settle(), name="settle")
                    self._group.create_task(self._discover(), name="nat64 prefix")
                    self._group.create_task(self._look(), name="resolv.conf")
                    if self._options.location is not None:
                        self._group.create_task(self._locate(self._options.location), name="location")
        finally:
            # What systemd-resolved was told goes with the device.
            try:
                self._file.give_back()
                if self._guard is not None:
                    self._guard.dismiss()
            except ManageoutError as error:  # the guard, which outlives us, tries again for a while
                log.error("%s (%s)", error.message, error.hint)

    def _on_network_change(self, monitor: AddressMonitor) -> None:
        if monitor.drain():
            self._moved.set()
            self._changed.set()  # the tunnel may have another address

    # --- What it is to be -------------------------------------------------------------------------------

    def _wanted(self) -> Wanted:
        options = self._options
        servers = self.site_servers()
        domains = (*options.domains, *self._seen.search)
        if options.way == "off":
            return Wanted("switched off by --resolver off")
        if options.location is not None and (self._location is None or self._location.inside):
            where = f"inside: {self._location.reason}" if self._location else "the location is being asked"
            return Wanted(where)
        # A router advertisement brings an address too: before the first one nothing can be said of it.
        self._heard = self._heard or any(not each.startswith("fe80:") for each in self._addresses())
        if not (servers and domains) and not self._heard:
            return Wanted(NOT_YET)
        if not servers:
            return Wanted("the gateway advertises no DNS server; --dns names one")
        if not domains:
            return Wanted("the gateway advertises no domain; --namespace names one")
        prefixes = [str(prefix) for prefix in self.discovery.prefixes]
        networks = [IPv6Network(prefix) for prefix in (*self._routes(), *prefixes)]
        zones = [reverse_zone((each.network_address.packed, each.prefixlen)) for each in networks]
        covered = (*domains, *(zone for zone in zones if zone))
        return Wanted("", servers, tuple(dict.fromkeys(covered)), self._seen.search, options.exempt)

    def site_servers(self) -> tuple[str, ...]:
        """The site's DNS servers: those of the command line, else what the gateway advertises."""
        return self._options.servers or tuple(map(self._server, self._seen.servers))

    def _server(self, address: bytes) -> str:
        server = IPv6Address(address)
        return f"{server}%{self._device}" if server.is_link_local else str(server)

    # --- Making it so -----------------------------------------------------------------------------------

    async def _settle(self) -> None:
        known: tuple[str, ...] = ()
        while True:
            await loops.woken(self._changed, RETRY if self._fault else None)
            self._changed.clear()
            wanted = self._wanted()
            servers = self.site_servers()
            if servers != known:
                known = servers
                if servers:
                    self.discovery.start(time.monotonic())
                else:
                    self.discovery.stop()
                self._asked.set()
            try:
                await self._apply(wanted)
                self._fault = ""
            except ManageoutError as error:
                if error.message != self._fault:
                    log.warning("names: %s (%s)", error.message, error.hint)
                self._fault, self._remedy, self._way = error.message, error.hint, ""

    async def _apply(self, wanted: Wanted) -> None:
        if wanted.reason:
            await self._switch_off()
        else:
            self._way = self._way or self._choose()
            await (self._through_stub(wanted) if self._way == "stub" else self._through_resolved(wanted))
        if wanted != self._applied:
            self._applied = wanted
            if wanted.reason:
                log.info("names of the site stay local: %s", wanted.reason)
            else:
                log.info("names below %s go to %s", ", ".join(wanted.domains), ", ".join(wanted.servers))

    def _choose(self) -> str:
        """Raises :class:`ManageoutError` when neither may be used."""
        way = self._options.way
        if way == "resolved" or (way == "auto" and self._may_touch and resolved.serves(self._file.servers())):
            return "systemd-resolved"
        if not self._may_touch:
            raise ManageoutError(
                f"{resolv_conf.PATH} belongs to the machine, not to this network namespace",
                "run it by `ip netns exec`, with /etc/netns/NAME/resolv.conf; or --resolver off",
            )
        return "stub"

    async def _through_resolved(self, wanted: Wanted) -> None:
        servers = wanted.servers
        if Rules(wanted.domains, wanted.exempt).exempt_within():
            # It knows domains of links, but no exemptions: our stub in between does. It asks the servers of
            # a link through that link, where only the link's own address is our stub.
            own = [address for address in self._addresses() if not address.startswith("fe80:")]
            if not own:
                raise ManageoutError("the tunnel has no address yet", "it gets one from the gateway")
            await self._serve_stub(own, wanted)
            servers = (self.stub.address,)
        told = (servers, wanted.domains, wanted.search)
        if told != self._told:
            await self._resolved.apply(*told)
            self._told = told

    async def _through_stub(self, wanted: Wanted) -> None:
        await self._serve_stub(ADDRESSES, wanted)
        self._guard = self._guard or Guard()
        self._file.take(self.stub.address, wanted.search)

    async def _serve_stub(self, addresses: Sequence[str], wanted: Wanted) -> None:
        """Have the stub serve ``wanted`` on one of ``addresses``."""
        if self._stub_task is not None and self.stub.address not in addresses:
            self._stub_task.cancel()
            await asyncio.wait([self._stub_task])
            self._stub_task = None
        if self._stub_task is None:
            self.stub.listen(addresses)
            self._stub_task = self._group.create_task(self.stub.run(), name="DNS stub")
        machine = self.stub.machine
        machine.rules = Rules(wanted.domains, wanted.exempt)
        machine.site_servers = wanted.servers
        machine.local_servers = self._local_servers()

    async def _switch_off(self) -> None:
        self._way, self._told = "", None
        await self._resolved.revert()
        self._file.give_back()
        self.stub.machine.rules = Rules()

    def _local_servers(self) -> list[str]:
        servers = self._file.servers() if self._way == "stub" else resolved.uplinks()
        ours = (self.stub.address, *self.stub.machine.site_servers)
        # Without any, the C library asks this machine.
        return [server for server in servers if server not in ours] or ["127.0.0.1"]

    async def _look(self) -> None:
        """Follow what others do to the resolver's file."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            if self._withdrawn is not None and not self._connected():
                self._withdrawn = time.monotonic()
            elif self._withdrawn is not None and time.monotonic() >= self._withdrawn + WITHDRAWN_FOR:
                self._believe(NamesSeen())
            if self._file.changed():
                log.info("%s was written by another program: followed", resolv_conf.PATH)
                self._changed.set()
            elif self.stub.address:
                self.stub.machine.local_servers = self._local_servers()

    # --- Inside or outside, and the NAT64 prefix --------------------------------------------------------

    async def _locate(self, url: LocationUrl) -> None:
        async for found in watch(url, self._options.context, self._addresses, self._moved):
            self._probed = time.monotonic()
            if found != self._location:
                log.info("%s: %s", "inside" if found.inside else "outside", found.reason)
                self._location = found
                self._changed.set()

    async def _discover(self) -> None:
        while True:
            wait = self.discovery.ask_at - time.monotonic()
            if wait > 0 or self.discovery.advertised:
                await loops.woken(self._asked, max(1.0, min(wait, pref64.MAX_TTL)))
                self._asked.clear()
                continue
            before = self.discovery.prefixes
            servers = self.site_servers()
            found = await ask(servers, self._device, pref64.query, pref64.read, pref64.ANSWER_TIMEOUT)
            self.discovery.note(found, time.monotonic())
            if self.discovery.prefixes != before:
                self._changed.set()

    # --- What is shown ----------------------------------------------------------------------------------

    def nat64(self) -> rows.Nat64Row:
        """For ``manageout address nat64``: the prefixes in use and where they come from."""
        return {"prefixes": list(map(str, self.discovery.prefixes)), "from": self.discovery.origin}

    def status(self) -> rows.RoleStatus:
        """Short and flat."""
        applied, counts = self._applied, self.stub.machine.counts
        state = "off" if applied.reason else "on"
        shown: dict[str, rows.Json] = {"policy": "failed" if self._fault else state}
        shown["reason"] = self._fault or applied.reason or self._why_on()
        if self._options.location is not None and self._location is not None:
            where = "inside" if self._location.inside else "outside"
            shown["location"] = f"{where}: {self._location.reason}"
            shown["location_asked"] = f"{time.monotonic() - self._probed:.0f} s ago"
        if not applied.reason:
            ways = [self._way] if self._way != "stub" else []
            ways += [f"stub on {self.stub.address}"] if self.stub.address else []
            shown |= {"through": ways, "namespaces": list(applied.domains), "dns": list(applied.servers)}
            shown["exempt"] = list(applied.exempt)
            if self.stub.address:
                shown["local_dns"] = list(self.stub.machine.local_servers)
                asked = {"site": counts["site"], "local": counts["local"]}
                shown["questions"] = {**asked, "unanswered": counts["timeouts"]}
        if self.discovery.prefixes:
            shown["nat64"] = [str(prefix) for prefix in self.discovery.prefixes]
            shown["nat64_from"] = self.discovery.origin
        return shown

    def _why_on(self) -> str:
        if self._location is not None:
            return f"outside: {self._location.reason}"
        return "no location is set, so always outside"

    def findings(self) -> list[Finding]:
        """The policy that cannot be carried out."""
        return [finding("NAME-POLICY-FAILED", why=self._fault, remedy=self._remedy)] if self._fault else []
