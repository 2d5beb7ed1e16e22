"""The policy as a role of the daemon: fills the packet filter's sets and tells what the filter has counted.

The rules are a text (:mod:`manageout.service.policy.filter`) that the daemon loads as a whole, together with what the
sets hold at that moment (:meth:`PolicyService.contents`). Between two loads clients come and go, and names
change: those elements are changed one by one, at the end of the loop's turn.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from manageout.errors import ManageoutError
from manageout.linux.host import sysctl
from manageout.linux.netlink import conntrack
from manageout.linux.nft import program as nft
from manageout.linux.nft.features import features
from manageout.linux.nft.sets import Change, Counted, NftSets, TableMonitor
from manageout.linux.nft.tables import RuleTables
from manageout.service.policy.charges import Charges
from manageout.service.policy.departed import Departed
from manageout.service.policy.filter import REFUSALS, set_name
from manageout.service.policy.filter_managers import Contents, counter
from manageout.service.policy.filter_tracking import counts_by_client
from manageout.service.policy.guard import GUARDED
from manageout.service.policy.machine_names import ManagerNames, PeerNames
from manageout.service.policy.members import Members
from manageout.service.policy.report import Lately, Troubles, drop_rows, findings, rule_names
from manageout.service.policy.revision import Revision
from manageout.service.policy.sessions import Call, Sessions, machine
from manageout.service.process.finding import Finding
from manageout.service.process.lookups import Address, intranet_resolver
from manageout.service.process.loops import heard
from manageout.service.process.metrics import Metric
from manageout.service.process.presence import Client, Presence, Watcher
from manageout.service.process.role import Role
from manageout.service.process.rows import DropRow, RoleStatus, SessionRow
from manageout.service.state.holders import Holders
from manageout.site.plan import Plan
from manageout.site.tables.site import Site
from manageout.words import counted, said

HOLDERS = "holders"
TABLE = nft.TABLE.partition(" ")[2]
LOOK = 2.0
"""Seconds between two looks whether the rules are still there."""
LATELY = 600.0
"""Seconds for which it is shown that the guard has refused something."""

log = logging.getLogger(__name__)


class Mending(NamedTuple):
    """How rules that somebody took away come back. ``load`` and ``reopen`` raise :class:`ManageoutError`."""

    shut: Callable[[], None]
    """Lets nothing pass our devices."""
    load: Callable[[], None]
    reopen: Callable[[], None]


class PolicyService(Role, Watcher):
    """The role, on every machine; a Watcher where there are clients. Raises :class:`ManageoutError`."""

    name = "policy"

    def __init__(self, site: Site, plan: Plan, rules: RuleTables, clients: Presence) -> None:
        self.mending = Mending(lambda: None, lambda: None, lambda: None)
        """How the rules come back; the daemon sets it."""
        self.torn = False
        """The rules were gone once while connections could begin."""
        self._site, self._plan = site, plan
        self._rules = rules
        self._sets = NftSets(TABLE, lambda: rules.writer)
        self._connected = clients
        self._members = Members(site, plan, clients, Holders(site.daemon.state_dir / HOLDERS))
        self._names = ManagerNames(self._resolved, partial(intranet_resolver, site))
        self._names.configure(self._members.names(), partial(intranet_resolver, site))
        self._peers = PeerNames(partial(intranet_resolver, site))
        self._sessions = Sessions(site, plan, self._connected.owner, self._peers.name)
        self._charges = Charges(clients)
        self._departed = Departed(site, plan, self._charges)
        self._revision = Revision(self._members)
        self._provisional = False
        self._gone = asyncio.Event()
        self._shut = False
        self._unloaded = ""
        """Why the rules cannot be loaded; empty while they are."""
        self._latest: dict[str, int] = {}
        self._guarded = Lately(LATELY)
        self._scheduled = False
        self._removed = 0

    def start(self) -> None:
        """Judge what is open by the rules, which are loaded; nothing passes yet. Raises :class:`ManageoutError`."""
        self._expect_names()
        self._revision.judge_now(self._site, self._plan)

    async def run(self) -> None:
        """Serve until cancelled."""
        self.ready.set()
        self._flush()
        try:
            with heard(TableMonitor(TABLE), self._on_removal):
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._names.run(), name="manager-names")
                    group.create_task(self._peers.run(), name="peer-names")
                    group.create_task(self._watch(), name="policy-rules")
                    group.create_task(self._revision.run(), name="policy-revision")
                    group.create_task(self._departed.run(), name="policy-departed")
                    group.create_task(self._mend(), name="policy-mend")
        finally:
            self.ready.clear()
            self._sets.close()

    # --- The rules --------------------------------------------------------------------------------------

    def contents(self, site: Site, plan: Plan) -> Contents:
        """What the sets hold under ``site``; the caller loads it together with the rules of ``site``."""
        counts = self._counts()
        lasting = (GUARDED, *map(set_name, REFUSALS))
        refusals = {name: counts[name] for name in lasting if name in counts}
        known = self._members.configure(site, plan)
        self._departed.recount = True
        return replace(known, owners=self._charges.numbers(), counters=refusals, torn=self.torn)

    def reload(self, site: Site, plan: Plan) -> None:
        """The rules of ``site`` are loaded by now."""
        self._site, self._plan = site, plan
        self._names.configure(self._members.names(), partial(intranet_resolver, site))
        self._departed.configure(site, plan)
        self._peers.resolver = partial(intranet_resolver, site)
        self._expect_names()
        self._revision.rules_changed(site, plan)
        self._sessions = Sessions(site, plan, self._connected.owner, self._peers.name)

    def _expect_names(self) -> None:
        """Until they are resolved, any machine that has a connection may have one of them; then all is judged again."""
        self._members.unresolved = self._names.unresolved()
        self._provisional = bool(self._members.unresolved)

    def _on_removal(self, monitor: TableMonitor) -> None:
        if monitor.removed():
            self._look()

    async def _watch(self) -> None:
        """The kernel tells when a table goes, but may lose that message."""
        while True:
            await asyncio.sleep(LOOK)
            self._look()
            self._guarded.note(self._counts().get(GUARDED, 0), time.monotonic())
            self._revision.inherited(self._members.pushed_out())
            if self._provisional and not self._names.unresolved():
                self._expect_names()
                self._revision.rules_changed(self._site, self._plan)

    def _look(self) -> None:
        """Somebody may have flushed all rules of this machine; without ours everybody may call everybody."""
        if self._gone.is_set():
            return
        try:
            touched = self._rules.touched()
            if not touched:
                return
            what = f"the packet filter table {' and '.join(touched)} was removed or changed by somebody"
            if nft.TABLE in touched:
                self._lost(what)
                return
            # The rules stand, and guard as well; if this fails, the next look finds it so again.
            log.warning("%s; loading it again", what)
            self._removed += 1
            self._rules.load_again(touched)
        except ManageoutError as error:
            log.error("our packet filter cannot be looked at: %s (%s)", error.message, error.hint)

    def _lost(self, what: str) -> None:
        """Before anything else nothing passes any more, unless the rules themselves cannot have gone."""
        if not self._rules.owned:
            self.mending.shut()
            self._shut = self.torn = True
        log.error("%s; loading it again", what)
        self._removed += 1
        self._gone.set()

    async def _mend(self) -> None:
        """Load the rules again, judge what may have begun without them, and only then let packets pass."""
        while True:
            await self._gone.wait()
            try:
                self._unloaded = "being loaded"
                self.mending.load()
                self._unloaded = ""
                self._gone.clear()
                if self._shut:
                    await self._revision.judge(self._site, self._plan)
                    if not self._gone.is_set():  # again
                        self._shut = False
                        self.mending.reopen()
            except (ManageoutError, OSError) as error:
                self._unloaded = said(error)
                log.error("the packet filter cannot be loaded: %s", self._unloaded)
                self._gone.set()
                await asyncio.sleep(LOOK)

    # --- Who is in the sets -----------------------------------------------------------------------------

    def present(self, client: Client, before: Client | None) -> None:
        """A client has arrived, or has other addresses."""
        self._members.present(client, before)
        self._charges.present(client, before, time.monotonic())
        self._revision.inherited(self._members.inherited())
        self._schedule()

    def absent(self, client: Client) -> None:
        """A client has gone."""
        self._members.absent(client)
        self._charges.absent(client, time.monotonic())
        self._schedule()

    def _resolved(self, name: str, addresses: Collection[Address]) -> None:
        log.info("the manager %s is %s", name, ", ".join(map(str, addresses)) or "nowhere")
        self._members.resolved(name, addresses)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        if not self.ready.is_set() or self._gone.is_set():
            return
        try:
            self._sets.change(self._members.changes() + self._charged())
        except ManageoutError as error:
            self._lost(f"the packet filter's sets are not as they were left ({error.message})")

    def _charged(self) -> list[Change]:
        return self._charges.changes() if counts_by_client(self._site, features()) else []

    # --- What is shown ----------------------------------------------------------------------------------

    def status(self) -> RoleStatus:
        """For ``manageout status``."""
        counts = self._counts()
        return {
            "managers": [f"{name}: {counted(count, 'call')}" for name, count in self._calls()]
            or "none: nobody may call clients",
            "refused": sum(counts.get(set_name(reason), 0) for reason in REFUSALS),
            "guarded": counts.get(GUARDED, 0),
            "connections": f"{sysctl.find(conntrack.COUNT)} of {sysctl.find(conntrack.MAXIMUM)}",
        }

    def _calls(self) -> list[tuple[str, int]]:
        """Connections that managers have begun since the rules were loaded, by rule."""
        counts = self._counts()
        names = rule_names(self._site.policy.managers)
        return [(name, counts.get(counter(number), 0)) for number, name in enumerate(names)]

    def findings(self) -> list[Finding]:
        """What an administrator should know."""
        guarded = self._guarded.grown(time.monotonic())
        troubles = Troubles(
            self._removed, self._unloaded, self._rules.shared, self._revision.failure, guarded
        )
        return list(findings(self._names.states, troubles, features()))

    def sessions(self) -> Iterator[SessionRow | None]:
        """For ``manageout sessions``: read while they are sent."""
        return self._sessions.rows()

    def call(self, connection: conntrack.ConntrackEntry) -> Call | None:
        """What a connection is, if a manager has begun it to a client."""
        return self._sessions.call(connection)

    def drops(self) -> list[DropRow]:
        """Refused packets by reason and source, those of the policy also by client and service."""
        return list(drop_rows(self._counted, self._source, time.time()))

    def drop_totals(self) -> Mapping[str, int]:
        """Exact counts by reason; they only grow."""
        counts = self._counts()
        return {reason.label: counts.get(set_name(reason), 0) for reason in REFUSALS}

    def metrics(self) -> Iterable[Metric]:
        """For Prometheus."""
        allowed = [({"rule": name}, float(count)) for name, count in self._calls()]
        yield Metric("policy_connections", allowed)
        yield Metric("policy_clients", len(self._connected))

    def _source(self, key: bytes) -> str:
        """The client's name, or the address of the machine as the intranet knows it."""
        return self._connected.owner(key) or str(machine(key, self._site, self._plan)[0])

    def _counted(self, name: str) -> list[Counted]:
        try:
            return self._sets.counted(name)
        except ManageoutError:  # the table is gone; it will be loaded again
            return []

    def _counts(self) -> dict[str, int]:
        """Packets by counter; refusals since the daemon's start, for a new table goes on with them."""
        with contextlib.suppress(ManageoutError):  # they stand as they were until the next look
            if found := self._sets.counters():
                self._latest = {name: packets for name, (packets, _) in found.items()}
        return self._latest
