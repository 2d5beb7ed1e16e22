"""NAT64 and NAT46 as a role of the daemon: mappings, TUN device, fast path, ARP for the leases.

Clients come and go as told by the keeper of leases (:class:`~manageout.service.process.presence.Watcher`).
"""

import asyncio
import logging
import random
from collections.abc import Iterable, Mapping

from manageout.errors import ManageoutError
from manageout.linux.bpf.xlat import XlatFastPath, XlatSetup
from manageout.linux.netlink.events import AddressMonitor
from manageout.linux.netlink.links import Netlink
from manageout.linux.packets.tun import Tun
from manageout.protocol.offload.cut import MTU
from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.rules import Translator
from manageout.protocol.translate.whole import DIFFERENCE
from manageout.service.process import fast_path, loops, presence, role, rows
from manageout.service.process.finding import Finding
from manageout.service.process.metrics import Metric
from manageout.service.process.runtime import Succession
from manageout.service.translate.io import TranslatorIo
from manageout.service.translate.ipv4_side import Ipv4Side, ipv4_side, proxy_device
from manageout.service.translate.lease_arp import LeaseArp
from manageout.site.plan import Plan
from manageout.site.tables.site import Site, needed
from manageout.words import counted

MOST_EXPLICIT = 256
"""Addresses of one explicit mapping that ARP is answered for; a larger block is routed, not asked for."""
FEW = 256
"""So many addresses that ARP is answered for are looked at every second, more when links or addresses changed."""
SETTLE = 0.3
"""Seconds after a change of this machine's addresses before it is looked at: changes come in groups."""

log = logging.getLogger(__name__)


class TranslatorService(role.Role, presence.Watcher):
    """Serves ``tun`` until cancelled. Raises :class:`ManageoutError` when it cannot start."""

    name = "translation"

    def __init__(
        self, site: Site, plan: Plan, tun: Tun, netlink: Netlink, succession: Succession | None = None
    ) -> None:
        self._site, self._plan = site, plan
        self._tun, self._netlink = tun, netlink
        self._succession = succession or Succession()
        self._side = ipv4_side(netlink, site, plan)
        self._held: dict[str, bytes] = {}
        """Identity -> lease, also of those who are away for a while."""
        self._translator = _translator(_mappings(site, plan, self._side))
        self._io = TranslatorIo(self._translator, tun)
        self._arp = LeaseArp(proxy_device(self._side, site, plan))
        self._explicit: set[bytes] = set()
        self._setup = self._fast_path_setup()
        kept = tun, self._succession, XlatFastPath.OBJECT
        self._fast = fast_path.RoleFastPath("the translator", self._io.drops, self._load_fast_path, kept=kept)

    # --- Life -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            self._tun.set_offloads(True)
            self._fast.attach()
            self._arp.open()
            self._answer_for_explicit()
            with self._io:
                self.ready.set()
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._io.failure(), name="translation-link")
                    group.create_task(self._follow_addresses(), name="translation-addresses")
                    group.create_task(self._fast.vouch(), name="translation-vouch")
        finally:
            self._arp.close(self._succession.follows)
            self._fast.detach()

    def reload(self, site: Site, plan: Plan) -> None:
        """Go on with another site file; leases stay, sessions too."""
        self._site, self._plan = site, plan
        self._fast.reload()
        self._renew()
        moved = self._setup != self._fast_path_setup()
        if self._fast.programs is None or moved or not self._translator.mappings.fast:
            self._fast.attach_again()

    def _renew(self) -> None:
        """Mappings anew, of the present file and addresses."""
        site, plan = self._site, self._plan
        self._side = ipv4_side(self._netlink, site, plan)
        mappings = _mappings(site, plan, self._side)
        for v6, v4 in self._translator.mappings.leases.items():
            mappings.set_lease(v6, v4)
        self._translator = self._io.translator = _translator(mappings)
        self._arp.move(proxy_device(self._side, site, plan))
        self._answer_for_explicit()
        if self._fast.programs is not None and mappings.fast:
            self._fast.programs.sync(mappings)

    def recheck(self, changed: bool) -> None:
        """Whether what was put into the kernel is there; ``changed``: links or addresses may be others."""
        if not self.ready.is_set():
            return
        if self._site.daemon.fast_path:
            if self._fast.lost and ipv4_side(self._netlink, self._site, self._plan) != self._side:
                self._renew()  # a device went, and took its programs along
            self._fast.recheck(self._setup != self._fast_path_setup())
        if changed or len(self._arp) <= FEW:
            self._arp.recheck()

    async def _follow_addresses(self) -> None:
        """An intranet device that appears later, or changes its address, is used from then on."""
        changed = asyncio.Event()

        def note(monitor: AddressMonitor) -> None:
            if monitor.drain():
                changed.set()

        changed.set()  # something may have happened since this role was made
        with loops.heard(AddressMonitor(), note):
            while True:
                await changed.wait()
                await asyncio.sleep(SETTLE)
                changed.clear()
                try:
                    if ipv4_side(self._netlink, self._site, self._plan) != self._side:
                        self._renew()
                        self.recheck(True)
                except ManageoutError as error:  # a device that goes meanwhile: the next change tells
                    log.warning("%s (%s)", error.message, error.hint)

    def _load_fast_path(self) -> XlatFastPath | None:
        self._setup = setup = self._fast_path_setup()
        if not self._site.daemon.fast_path:
            XlatFastPath.remove_leftovers([setup.tun, *setup.underlays])
            return None
        return XlatFastPath(setup, self._translator.mappings, self._translator.mtus)

    def _fast_path_setup(self) -> XlatSetup:
        """With masquerade the kernel follows the IPv4 sessions."""
        table = self._site.translation
        untracked = not (table and table.masquerade)
        return XlatSetup(
            tun=self._tun.ifindex,
            underlays=self._side.others,
            untracked=untracked,
            pins=self._succession.pins,
            orphan=self._succession.orphan,
        )

    # --- Watcher ----------------------------------------------------------------------------------------

    def present(self, client: presence.Client, before: presence.Client | None) -> None:
        """Translate for ``client`` from now on."""
        if before is not None and (before.address, before.lease) != (client.address, client.lease):
            self._forget(before)
        if client.lease is None:
            return
        held = self._held.get(client.identity)
        if held is not None and held != client.lease:
            self._arp.drop(held)
        self._held[client.identity] = client.lease
        self._translator.mappings.set_lease(client.address, client.lease)
        if self._fast.programs is not None and not self._fast.programs.set_lease(
            client.address, client.lease
        ):
            log.warning("the fast path has no room for %s", client.identity)
        self._arp.hold(client.lease)

    def absent(self, client: presence.Client) -> None:
        """Nobody is there, but the lease is nobody else's: callers are told so."""
        self._forget(client)

    def released(self, identity: str, lease: bytes) -> None:
        """The lease is nobody's."""
        held = self._held.pop(identity, None)
        if held is not None:
            self._arp.drop(held)

    def _forget(self, client: presence.Client) -> None:
        if client.lease is not None and self._translator.mappings.leases.get(client.address) == client.lease:
            self._translator.mappings.clear_lease(client.address)
            if self._fast.programs is not None:
                self._fast.programs.clear_lease(client.address)

    def _answer_for_explicit(self) -> None:
        """Explicitly mapped addresses in a connected subnet are asked for by ARP as leases are."""
        table, before = self._site.translation, self._explicit
        self._explicit = {
            address.packed
            for entry in (table.eam if table else ())
            if entry.ipv4.num_addresses <= MOST_EXPLICIT
            and self._side.device_for(entry.ipv4) == self._arp.dev
            for address in entry.ipv4
        }
        for v4 in before - self._explicit - set(self._held.values()):
            self._arp.drop(v4)
        for v4 in self._explicit:
            self._arp.hold(v4)

    def findings(self) -> list[Finding]:
        """What somebody should look at."""
        return self._fast.findings()

    # --- Report -----------------------------------------------------------------------------------------

    def status(self) -> rows.RoleStatus:
        """For ``manageout status``."""
        mappings = self._translator.mappings
        shown: dict[str, rows.Json] = {
            "fast_path": self._fast.status(),
            "prefix": str(mappings.pref64),
            "pool": str(mappings.pool) if mappings.pool else "",
            "translating": len(mappings.leases),
        }
        if self._arp.dev is not None:
            shown["arp"] = f"{self._arp.dev}, {counted(len(self._arp), 'address', 'addresses')}"
        return shown

    def drops(self) -> list[rows.DropRow]:
        """Rows of reason, source, count, last."""
        return self._fast.drops()

    def drop_totals(self) -> Mapping[str, int]:
        """Count by reason."""
        return self._fast.drop_totals()

    def nat64(self) -> rows.Nat64Row:
        """For ``manageout address nat64``."""
        return {"prefixes": [str(self._plan.nat64)], "from": "the site file"}

    def metrics(self) -> Iterable[Metric]:
        """What else Prometheus may know."""
        io = self._io
        families = [({"from": f"ipv{version}"}, count) for version, count in io.packets.items()]
        octets = [({"from": f"ipv{version}"}, count) for version, count in io.octets.items()]
        yield Metric("translation_leases", len(self._translator.mappings.leases))
        yield Metric("translation_slow_packets", families)
        yield Metric("translation_slow_bytes", octets)
        yield Metric("translation_errors_sent", io.errors)
        yield Metric("translation_fast_path", self._fast.programs is not None)


def _mappings(site: Site, plan: Plan, side: Ipv4Side) -> Mappings:
    table = needed(site.translation)
    own4, own6 = side.own.packed, plan.gateway_address.packed
    eam = [(entry.ipv4, entry.ipv6) for entry in table.eam]
    return Mappings(plan.nat64, own4=own4, own6=own6, pool=plan.leases, eam=eam)


def _translator(mappings: Mappings) -> Translator:
    # What a client sends fits into 1260 bytes of IPv4. What is larger came in fragments, which connection tracking
    # has put together: the slow path cuts it up again.
    mtu4 = MTU - DIFFERENCE
    return Translator(mappings, mtu4=mtu4, mtu6=MTU, largest6=MTU, random=random.random)
