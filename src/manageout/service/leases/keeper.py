"""Connections -> one :class:`Client` an identity, with its lease; told to those who want to know.

The way of a change::

    opened, bound, unbound, closed  ->  attendance; the identity is dirty
    end of the loop's turn          ->  leases given and taken, audit rows: one commit for all dirty identities
    committed                       ->  watchers: absent, released, present

Whatever is given to a client is on the disk before watchers hear of it. While a commit runs, further changes collect
for the next one, so that many connections share one sync of the disk. While the disk refuses, clients whose lease is
there from before keep it or come back to it, the others are told without one, and what is taken away is told at once.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

from manageout.errors import ManageoutError
from manageout.linux.netlink.links import Netlink
from manageout.protocol.leases.leases import Lease, LeaseRules, Leases
from manageout.service.leases import report
from manageout.service.leases.allotment import Allotment, Batch, Periods
from manageout.service.leases.commit_queue import CommitQueue
from manageout.service.leases.conflict_detection import ConflictDetection
from manageout.service.process import clock, role, rows
from manageout.service.process.finding import Finding
from manageout.service.process.metrics import Metric
from manageout.service.process.presence import Client, Presence
from manageout.service.state.leases import DAY, LeaseStore, stored_periods
from manageout.service.translate.ipv4_side import ipv4_side, proxy_device
from manageout.site.plan import Plan
from manageout.site.tables.site import Site, needed
from manageout.words import said

BATCH = 500
"""Identities a turn of the loop: when thousands come or go at once, packets are served in between."""
AUDIT_SHOWN = 10_000
LOOK = 30.0
"""Seconds between two looks at the clock, which may be set, and at this machine's own addresses."""

log = logging.getLogger(__name__)


class LeaseKeeper(role.Role):
    """The role. Raises :class:`ManageoutError` when the leases cannot be stored."""

    name = "leases"

    def __init__(
        self, site: Site, plan: Plan, netlink: Netlink, state_dir: Path, clients: Presence | None = None
    ) -> None:
        self._netlink = netlink
        self.conflicts = ConflictDetection(self._segment, self._upcoming, self._taken_changed)
        self.connected = Presence() if clients is None else clients
        self.connected.watch(self.conflicts)
        self._clock = clock.SteadyClock()
        self._wary = False
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._store = LeaseStore(state_dir) if plan.leases is not None else None
        self._lost_at = self._store.lost_at(time.time()) if self._store is not None else None
        ends = self._store.open_periods(time.time()) if self._store is not None else []
        number = self._store.next_period() if self._store is not None else 0
        self.allotment = Allotment(self.connected, Periods(number, ends))
        self._adopt(site, plan)
        self._writer: CommitQueue | None = None
        self._untold = Batch({}, [], [], {})
        """What is told when it is on the disk."""
        self._kept: dict[bytes, str] = {}
        """Whose each address is on the disk."""
        if self._store is not None and plan.leases is not None:
            table = self.allotment.table = Leases(plan.leases, **self._rules())
            stored = self._store.load()
            self._kept = {lease.v4: lease.identity for lease in stored}
            self.allotment.gone(table.restore(stored, time.time()))

    # --- The site file ----------------------------------------------------------------------------------

    def _adopt(self, site: Site, plan: Plan) -> None:
        self._site, self._plan = site, plan
        fixed = site.gateway.fixed if site.gateway else {}
        self.allotment.attendance.fixed = {name.lower(): v6.packed for name, v6 in fixed.items()}
        self._own = self._own_addresses()
        if self._store is not None and site.translation is not None:
            self._store.keep = site.translation.audit_days * DAY

    def _rules(self) -> LeaseRules:
        table = needed(self._site.translation)
        self._wary = self.wary_until is not None
        return {
            "grace": table.grace,
            "quarantine": table.quarantine,
            "fixed": {name.lower(): v4.packed for name, v4 in table.fixed.items()},
            "excluded": self._own | self.conflicts.taken.keys(),
            "from_end": self._wary,
        }

    @property
    def wary_until(self) -> float | None:
        """Until when others may remember of addresses what we have lost; None: they do not."""
        rules = self._site.translation
        if self._lost_at is None or rules is None:
            return None
        until = self._lost_at + rules.grace + rules.quarantine
        return until if until > time.time() else None

    def _own_addresses(self) -> frozenset[bytes]:
        """IPv4 addresses of this machine: never a client's."""
        found = (address.ip for address in self._netlink.addresses())
        return frozenset(ip.packed for ip in found if isinstance(ip, IPv4Address))

    def _segment(self) -> tuple[str, bytes] | None:
        """Where others ask for leases by ARP, and our address there."""
        side = ipv4_side(self._netlink, self._site, self._plan)
        device = proxy_device(side, self._site, self._plan)
        return (device, side.own.packed) if device is not None else None

    def _upcoming(self, count: int) -> list[bytes]:
        table = self.allotment.table
        if table is None:
            return []
        self.conflicts.room = (table.size + len(self.conflicts.taken)) // 2
        return table.upcoming(count)

    def _taken_changed(self) -> None:
        self.reload(self._site, self._plan, "another machine has the address")

    def reload(self, site: Site, plan: Plan, reason: str = "the site file changed") -> None:
        """Go on by other rules. Clients whose lease they forbid get another at once."""
        self._adopt(site, plan)
        forbidden: list[Lease] = []
        if self.allotment.table is not None and plan.leases is not None:
            forbidden = self.allotment.table.configure(self._now(), plan.leases, **self._rules())
        self.allotment.forbidden(forbidden, reason)
        self._schedule()

    # --- Life -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until cancelled; then everybody counts as disconnected, which is stored, not told."""
        self._loop = asyncio.get_running_loop()
        if self._store is not None:
            self._writer = CommitQueue(self._store, self._committed)
        self.ready.set()
        self._schedule()
        try:
            async with asyncio.TaskGroup() as group:
                if self.allotment.table is not None:
                    group.create_task(self.conflicts.run(), name="leases-conflicts")
                try:
                    await self._keep_looking()
                finally:
                    self.ready.clear()  # at once: while the questions end nothing more is told
        finally:
            self._stop()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            wary = self.wary_until is not None
            try:
                gives = self.allotment.table is not None
                if gives and (self._own_addresses(), wary) != (self._own, self._wary):
                    self.reload(self._site, self._plan, "it is this machine's own address")
            except (ManageoutError, OSError) as error:  # the next look is soon
                log.warning("this machine's own addresses cannot be read: %s", said(error))
            self._schedule()

    def _stop(self) -> None:
        for number in self.allotment.attendance.connections():
            self.closed(number, "the gateway stopped")
        self.ready.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._store is None or self._writer is None:
            return
        changes, audit = self._writer.close()
        batch = self.allotment.batch(self._now(), self.allotment.dirty)
        try:
            self._store.commit({**changes, **batch.changes}, [*audit, *batch.audit])
        except sqlite3.Error as error:
            log.error("the last changes of the leases could not be stored: %s", error)
        self._store.close()

    # --- What transports say ----------------------------------------------------------------------------

    def opened(self, number: int, identity: str | None, peer: str, transport: str = "ip-https") -> None:
        """A connection carries packets; ``number`` is its own until :meth:`closed`."""
        self.allotment.opened(number, identity, peer, transport, time.time())

    def bound(self, number: int, address: bytes) -> None:
        """The connection holds one more IPv6 address."""
        self.allotment.bound(number, address)
        self._schedule()

    def unbound(self, number: int, address: bytes) -> None:
        """The connection no longer holds the address."""
        self.allotment.unbound(number, address)
        self._schedule()

    def keeper(self, address: bytes) -> str | None:
        """For which identity an IPv6 address is kept."""
        return self.allotment.table.keeper(address) if self.allotment.table is not None else None

    def closed(self, number: int, reason: str = "disconnected") -> None:
        """The connection has ended; an unknown one is ignored."""
        self.allotment.closed(number, reason)
        self._schedule()

    # --- From what happened to what is told -------------------------------------------------------------

    def _schedule(self) -> None:
        """Carry out everything that has changed, once, at the end of this turn of the loop."""
        if self.ready.is_set() and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        if not self.ready.is_set() or (self._writer is not None and self._writer.running):
            return
        batch = self.allotment.batch(self._now(), BATCH)
        if self._writer is not None and (batch.changes or batch.audit or self._writer.busy):
            self._untold.changes.update(batch.changes)
            self._untold.released.extend(batch.released)
            self._untold.clients.update(batch.clients)
            if self._writer.busy:
                self._tell_safe(batch)
            self._writer.write(batch.changes, batch.audit)
        else:
            self._tell(batch)
        if self.allotment.dirty and not (self._writer is not None and self._writer.running):
            self._schedule()
        self._arm()

    def _committed(self, stored: bool) -> None:
        if not self.ready.is_set():
            return
        if stored:
            batch, self._untold = self._untold, Batch({}, [], [], {})
            for v4, lease in batch.changes.items():
                if lease is None:
                    self._kept.pop(v4, None)
                else:
                    self._kept[v4] = lease.identity
            self._tell(batch)
        else:
            self._tell_safe(self._untold)
        self._flush()  # what has collected meanwhile

    def _tell_safe(self, batch: Batch) -> None:
        """Of what the disk refuses: all but leases that it does not know as their holders'."""
        clients = {identity: client and self._as_kept(client) for identity, client in batch.clients.items()}
        self._tell(batch._replace(clients=clients))
        self._untold.released.clear()

    def _as_kept(self, client: Client) -> Client:
        known = client.lease is None or self._kept.get(client.lease) == client.identity
        return client if known else client._replace(lease=None)

    def _tell(self, batch: Batch) -> None:
        for identity, client in batch.clients.items():
            if client is None:
                self.connected.absent(identity)
        for identity, v4 in batch.released:
            self.connected.released(identity, v4)
        for client in batch.clients.values():
            if client is not None:
                self.connected.present(client)

    # --- Time -------------------------------------------------------------------------------------------

    def _now(self) -> float:
        """By the wall clock; when that was set, grace and quarantine still last as long as they were to."""
        table = self.allotment.table
        if table is not None and (jump := self._clock.look()):
            log.warning("the clock was set by %.0f s: times of leases go with it", jump)
            table.shift(jump)
        return time.time()

    def _arm(self) -> None:
        due = self.allotment.table.timer() if self.allotment.table is not None else None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = self._loop.call_later(min(max(0.0, due - time.time()), LOOK), self._schedule)

    # --- What others may know ---------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Something that happened is not yet stored and told."""
        return self._scheduled or self.allotment.dirty > 0 or (self._writer is not None and self._writer.busy)

    def status(self) -> rows.RoleStatus:
        """For ``manageout status``."""
        return report.status(self._plan.leases, self.allotment)

    def leases(self) -> Iterator[rows.LeaseRow]:
        """For ``manageout leases``. Raises :class:`ManageoutError` without translation."""
        self._stored()
        return report.rows(self.allotment, self.connected)

    def audit(self) -> Iterator[rows.LeasePeriod]:
        """For ``manageout leases --audit``: the latest entries. Raises :class:`ManageoutError` likewise."""
        return stored_periods(self._stored().path.parent, AUDIT_SHOWN)

    def _stored(self) -> LeaseStore:
        if self._store is None:
            raise ManageoutError(
                "this gateway gives no leases", "add a [translation] table to its site file, and restart"
            )
        return self._store

    def findings(self) -> list[Finding]:
        """What somebody should look at."""
        found = list(report.findings(self._plan.leases, self.allotment))
        if self._store is not None:
            lost = self._writer.lost if self._writer is not None else 0
            found += report.stored(self._store, lost, self.wary_until)
        return found + self.conflicts.findings()

    def metrics(self) -> Iterable[Metric]:
        """For Prometheus."""
        return report.metrics(self.allotment)
