"""Connections -> one :class:`Client` an identity, with its lease; told to those who want to know.

The way of a change::

    opened, bound, unbound, closed  ->  attendance; the identity is dirty
    end of the loop's turn          ->  leases given and taken, audit rows: one commit for all dirty identities
    committed                       ->  watchers: absent, released, present

Whatever is given to a client is on the disk before watchers hear of it. While a commit runs, further changes collect
for the next one, so that many connections share one sync of the disk. While the disk refuses, clients whose lease is
there from before keep it or come back to it, the others are told without one, and what is taken away is told at once.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
import time
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from manageout.errors import ManageoutError
from manageout.linux.netlink.links import Netlink
from manageout.protocol.leases.attendance import Attendance, Seen
from manageout.protocol.leases.leases import Lease, Leases, State
from manageout.service.leases import report
from manageout.service.leases.guard import LeaseGuard
from manageout.service.leases.writer import LeaseWriter
from manageout.service.process.clock import SteadyClock
from manageout.service.process.finding import Finding
from manageout.service.process.metrics import Metric
from manageout.service.process.presence import Client, Presence
from manageout.service.process.role import Role
from manageout.service.process.rows import LeasePeriod, LeaseRow, RoleStatus
from manageout.service.state.leases import (
    DAY,
    AuditRow,
    LeaseStore,
    StoredLease,
    stored_periods,
)
from manageout.service.translate.ipv4_side import ipv4_side, proxy_device
from manageout.site.plan import Plan
from manageout.site.tables.site import Site
from manageout.words import said

BATCH = 500
"""Identities a turn of the loop: when thousands come or go at once, packets are served in between."""
AUDIT_SHOWN = 10_000
LOOK = 30.0
"""Seconds between two looks at the clock, which may be set, and at this machine's own addresses."""

log = logging.getLogger(__name__)


class _Batch(NamedTuple):
    """What one commit makes true."""

    changes: dict[bytes, StoredLease | None]
    audit: list[AuditRow]
    released: list[tuple[str, bytes]]
    clients: dict[str, Client | None]


class LeaseKeeper(Role):
    """The role. Raises :class:`ManageoutError` when the leases cannot be stored."""

    name = "leases"

    def __init__(
        self, site: Site, plan: Plan, netlink: Netlink, state_dir: Path, clients: Presence | None = None
    ) -> None:
        self._netlink = netlink
        self.guard = LeaseGuard(self._segment, self._upcoming, self._taken_changed)
        self.connected = Presence() if clients is None else clients
        self.connected.watch(self.guard)
        self.ready = asyncio.Event()
        self._clock = SteadyClock()
        self.attendance = Attendance()
        self.waiting: dict[str, None] = {}
        """Present, and without a lease for want of addresses; the first come is the first served."""
        self.denied = 0
        self._denied_told = -math.inf
        self._dirty: dict[str, None] = {}
        self._released: list[tuple[str, bytes]] = []
        self._reasons: dict[str, str] = {}
        self._periods: dict[str, AuditRow] = {}
        self._wary = False
        self._left_open: list[AuditRow] = []
        """The ends of periods that a killed gateway left open, still to be stored."""
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._adopt(site, plan)
        self.store = LeaseStore(state_dir) if plan.leases is not None else None
        self._lost_at = self.store.lost_at(time.time()) if self.store is not None else None
        self.table = Leases(plan.leases, **self._rules()) if plan.leases is not None else None
        self._keep_audit()
        self._writer: LeaseWriter | None = None
        self._untold = _Batch({}, [], [], {})
        """What is told when it is on the disk."""
        self._kept: dict[bytes, str] = {}
        """Whose each address is on the disk."""
        if self.table is not None and self.store is not None:
            now = time.time()
            self._left_open = self.store.open_periods(now)
            self._next_period = self.store.next_period()
            stored = self.store.load()
            self._kept = {lease.v4: lease.identity for lease in stored}
            lost = self.table.restore(stored, now)
            self._released += [(lease.identity, lease.v4) for lease in lost]

    # --- The site file ----------------------------------------------------------------------------------

    def _adopt(self, site: Site, plan: Plan) -> None:
        self.site, self.plan = site, plan
        fixed = site.gateway.fixed if site.gateway else {}
        self.attendance.fixed = {name.lower(): v6.packed for name, v6 in fixed.items()}
        self._own = self._own_addresses()

    def _keep_audit(self) -> None:
        if self.store is not None and self.site.translation is not None:
            self.store.keep = self.site.translation.audit_days * DAY

    def _rules(self) -> dict[str, Any]:
        table = self.site.translation
        if table is None:
            return {}
        fixed = {name.lower(): v4.packed for name, v4 in table.fixed.items()}
        times = {"grace": table.grace, "quarantine": table.quarantine}
        self._wary = self.wary_until is not None
        excluded = self._own | self.guard.taken.keys()
        return times | {"fixed": fixed, "excluded": excluded, "from_end": self._wary}

    @property
    def wary_until(self) -> float | None:
        """Until when others may remember of addresses what we have lost; None: they do not."""
        rules = self.site.translation
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
        side = ipv4_side(self._netlink, self.site, self.plan)
        device = proxy_device(side, self.site, self.plan)
        return (device, side.own.packed) if device is not None else None

    def _upcoming(self, count: int) -> list[bytes]:
        if self.table is None:
            return []
        self.guard.room = (self.table.size + len(self.guard.taken)) // 2
        return self.table.upcoming(count)

    def _taken_changed(self) -> None:
        self.reload(self.site, self.plan, "another machine has the address")

    def reload(self, site: Site, plan: Plan, reason: str = "the site file changed") -> None:
        """Go on by other rules. Clients whose lease they forbid get another at once."""
        self._adopt(site, plan)
        self._keep_audit()
        forbidden: list[Lease] = []
        if self.table is not None and plan.leases is not None:
            forbidden = self.table.configure(self._now(), plan.leases, **self._rules())
        for lease in forbidden:
            ipv4 = IPv4Address(lease.v4)
            log.warning("%s loses its lease %s: %s", lease.identity, ipv4, reason)
            self._reasons[lease.identity] = reason
            if lease.state is State.GRACE:
                self._released.append((lease.identity, lease.v4))
        for identity in self.attendance.identities():
            self._touch(identity)
        self._schedule()

    # --- Life -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until cancelled; then everybody counts as disconnected, which is stored, not told."""
        self._loop = asyncio.get_running_loop()
        if self.store is not None:
            self._writer = LeaseWriter(self.store, self._committed)
        self.ready.set()
        self._schedule()
        try:
            async with asyncio.TaskGroup() as group:
                if self.table is not None:
                    group.create_task(self.guard.run(), name="leases-guard")
                try:
                    await self._keep_looking()
                finally:
                    self.ready.clear()  # at once: while the guard ends nothing more is told
        finally:
            self._stop()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            wary = self.wary_until is not None
            try:
                if self.table is not None and (self._own_addresses(), wary) != (self._own, self._wary):
                    self.reload(self.site, self.plan, "it is this machine's own address")
            except (ManageoutError, OSError) as error:  # the next look is soon
                log.warning("this machine's own addresses cannot be read: %s", said(error))
            self._schedule()

    def _stop(self) -> None:
        for number in self.attendance.connections():
            self.closed(number, "the gateway stopped")
        self.ready.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self.store is None or self._writer is None:
            return
        changes, audit = self._writer.close()
        batch = self._batch(len(self._dirty))
        try:
            self.store.commit({**changes, **batch.changes}, [*audit, *batch.audit])
        except sqlite3.Error as error:
            log.error("the last changes of the leases could not be stored: %s", error)
        self.store.close()

    # --- What transports say ----------------------------------------------------------------------------

    def opened(self, number: int, identity: str | None, peer: str, transport: str = "ip-https") -> None:
        """A connection carries packets; ``number`` is its own until :meth:`closed`."""
        lease = self.table.get(identity) if self.table and identity else None
        last_time = lease.v6 if lease else b""
        self.attendance.opened(number, identity, peer, transport, time.time(), last_time)

    def bound(self, number: int, address: bytes) -> None:
        """The connection holds one more IPv6 address."""
        self._touch(self.attendance.bound(number, address))

    def unbound(self, number: int, address: bytes) -> None:
        """The connection no longer holds the address."""
        self._touch(self.attendance.unbound(number, address))

    def keeper(self, address: bytes) -> str | None:
        """For which identity an IPv6 address is kept."""
        return self.table.keeper(address) if self.table is not None else None

    def closed(self, number: int, reason: str = "disconnected") -> None:
        """The connection has ended; an unknown one is ignored."""
        identity = self.attendance.closed(number)
        if identity is not None:
            self._reasons[identity] = reason
            self._touch(identity)

    # --- From what happened to what is told -------------------------------------------------------------

    def _touch(self, identity: str | None) -> None:
        if identity is not None:
            self._dirty[identity] = None
            self._schedule()

    def _schedule(self) -> None:
        """Carry out everything that has changed, once, at the end of this turn of the loop."""
        if self.ready.is_set() and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        if not self.ready.is_set() or (self._writer is not None and self._writer.running):
            return
        batch = self._batch(BATCH)
        if self._writer is not None and (batch.changes or batch.audit or self._writer.busy):
            self._untold.changes.update(batch.changes)
            self._untold.released.extend(batch.released)
            self._untold.clients.update(batch.clients)
            if self._writer.busy:
                self._tell_safe(batch)
            self._writer.write(batch.changes, batch.audit)
        else:
            self._tell(batch)
        if self._dirty and not (self._writer is not None and self._writer.running):
            self._schedule()
        self._arm()

    def _committed(self, stored: bool) -> None:
        if not self.ready.is_set():
            return
        if stored:
            batch, self._untold = self._untold, _Batch({}, [], [], {})
            for v4, lease in batch.changes.items():
                if lease is None:
                    self._kept.pop(v4, None)
                else:
                    self._kept[v4] = lease.identity
            self._tell(batch)
        else:
            self._tell_safe(self._untold)
        self._flush()  # what has collected meanwhile

    def _tell_safe(self, batch: _Batch) -> None:
        """Of what the disk refuses: all but leases that it does not know as their holders'."""
        clients = {identity: client and self._as_kept(client) for identity, client in batch.clients.items()}
        self._tell(batch._replace(clients=clients))
        self._untold.released.clear()

    def _as_kept(self, client: Client) -> Client:
        known = client.lease is None or self._kept.get(client.lease) == client.identity
        return client if known else client._replace(lease=None)

    def _batch(self, limit: int) -> _Batch:
        """Give and take leases for ``limit`` identities that are dirty, and as many leases that are due."""
        now = self._now()
        if self.table is not None:
            for lease in self.table.on_timer(now, limit):
                self._released.append((lease.identity, lease.v4))
        dirty = list(islice(self._dirty, limit))
        for identity in dirty:
            del self._dirty[identity]
        seen = {identity: self.attendance.seen(identity) for identity in dirty}
        audit, self._left_open = self._left_open, []
        for identity in [identity for identity, found in seen.items() if found is None]:
            self._leave(identity, now, audit)
        clients: dict[str, Client | None] = dict.fromkeys(seen)
        clients.update(self._serve_waiting(now, audit))  # before those that have come only now
        for identity, found in seen.items():
            if found is not None:
                clients[identity] = self._serve(identity, found, now, audit)
        clients.update(self._serve_waiting(now, audit))
        released, self._released = self._released, []
        changes: dict[bytes, StoredLease | None] = {}
        if self.table is not None:
            for v4, changed in self.table.take_changes().items():
                changes[v4] = StoredLease.of(changed) if changed else None
        return _Batch(changes, audit, released, clients)

    def _leave(self, identity: str, now: float, audit: list[AuditRow]) -> None:
        self.waiting.pop(identity, None)
        if self.table is not None:
            client = self.connected.get(identity)
            self.table.let_go(identity, now, client.address if client else b"")
        self._log_end(identity, now, audit)
        self._reasons.pop(identity, None)

    def _serve(self, identity: str, seen: Seen, now: float, audit: list[AuditRow]) -> Client:
        lease = self.table.hold(identity, now) if self.table is not None else None
        if lease is not None and self.table is not None:
            self.waiting.pop(identity, None)
            if not lease.v6:
                self.table.remember(identity, seen.address)
            self._log_held(identity, lease, seen, now, audit)
        else:
            self._log_end(identity, now, audit)
            if self.table is not None and identity not in self.waiting:
                self.waiting[identity] = None
                self.denied += 1
                self._tell_denied(identity, now)
        self._reasons.pop(identity, None)
        v4 = lease.v4 if lease else None
        return Client(identity, seen.address, seen.others, v4, seen.peer, seen.transport, seen.since)

    def _tell_denied(self, identity: str, now: float) -> None:
        """Not each time that somebody comes again: the finding names those who wait."""
        if self.table is not None and not 0 <= now - self._denied_told < LOOK:
            self._denied_told = now
            log.warning("no lease for %s: all %d are somebody's", identity, self.table.size)

    def _serve_waiting(self, now: float, audit: list[AuditRow]) -> dict[str, Client]:
        """Leases for those that came when there was none, as far as there are some now."""
        served: dict[str, Client] = {}
        while self.waiting and self.table is not None:
            identity = next(iter(self.waiting))
            seen = self.attendance.seen(identity)
            if seen is None or self.table.hold(identity, now) is None:
                break
            served[identity] = self._serve(identity, seen, now, audit)
        return served

    def _log_held(self, identity: str, lease: Lease, seen: Seen, now: float, audit: list[AuditRow]) -> None:
        what = (lease.v4, identity, seen.address, seen.transport, seen.peer)
        before = self._periods.get(identity)
        if before is not None and before[3:8] == what:
            return
        self._log_end(identity, now, audit)
        row = self._periods[identity] = AuditRow(self._next_period, "held", now, *what, "")
        self._next_period += 1
        audit.append(row)

    def _log_end(self, identity: str, now: float, audit: list[AuditRow]) -> None:
        row = self._periods.pop(identity, None)
        if row is not None:
            reason = self._reasons.get(identity, "connected in another way")
            audit.append(row._replace(event="ended", at=now, reason=reason))

    def _tell(self, batch: _Batch) -> None:
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
        if self.table is not None and (jump := self._clock.look()):
            log.warning("the clock was set by %.0f s: times of leases go with it", jump)
            self.table.shift(jump)
        return time.time()

    def _arm(self) -> None:
        due = self.table.timer() if self.table is not None else None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = self._loop.call_later(min(max(0.0, due - time.time()), LOOK), self._schedule)

    # --- What others may know ---------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Something that happened is not yet stored and told."""
        return self._scheduled or bool(self._dirty) or (self._writer is not None and self._writer.busy)

    @property
    def failing(self) -> str:
        """Why leases cannot be stored at present, or nothing."""
        return self._writer.failing if self._writer is not None else ""

    @property
    def unlogged(self) -> int:
        """Entries of the audit log that a disk that refused has cost."""
        return self._writer.lost if self._writer is not None else 0

    def status(self) -> RoleStatus:
        """For ``manageout status``."""
        return report.status(self)

    def leases(self) -> Iterator[LeaseRow]:
        """For ``manageout leases``. Raises :class:`ManageoutError` without translation."""
        self._stored()
        return report.rows(self)

    def audit(self) -> Iterator[LeasePeriod]:
        """For ``manageout leases --audit``: the latest entries. Raises :class:`ManageoutError` likewise."""
        return stored_periods(self._stored().path.parent, AUDIT_SHOWN)

    def _stored(self) -> LeaseStore:
        if self.store is None:
            raise ManageoutError(
                "this gateway gives no leases", "add a [translation] table to its site file, and restart"
            )
        return self.store

    def findings(self) -> list[Finding]:
        """What somebody should look at."""
        return report.findings(self)

    def metrics(self) -> Iterable[Metric]:
        """For Prometheus."""
        return report.metrics(self)
