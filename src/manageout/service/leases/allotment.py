"""Who is here -> who holds which address: leases given and taken, and who waits for one. Pure; time is Unix time.

What happens to an identity makes it dirty; :meth:`Allotment.batch` works off some of the dirty at a time.
"""

import logging
import math
from ipaddress import IPv4Address
from itertools import islice
from typing import NamedTuple

from manageout.protocol.leases.attendance import Attendance, Attendee
from manageout.protocol.leases.leases import Lease, Leases
from manageout.service.process.presence import Client, Presence
from manageout.service.state.leases import AuditRow, StoredLease

SAID_AGAIN = 30.0
"""Seconds until it is said again that there is no lease left."""

log = logging.getLogger(__name__)


class Batch(NamedTuple):
    """What one commit makes true."""

    changes: dict[bytes, StoredLease | None]
    audit: list[AuditRow]
    released: list[tuple[str, bytes]]
    clients: dict[str, Client | None]


class Periods:
    """Who held which lease from when to when, and why it ended: the rows of the audit log."""

    def __init__(self, number: int, ends: list[AuditRow]) -> None:
        """``number``: of the next period. ``ends``: of those that a killed gateway left open, still to be stored."""
        self._next, self._rows = number, ends
        self._open: dict[str, AuditRow] = {}
        self.reasons: dict[str, str] = {}
        """Why the present one of an identity ends, if it does."""

    def begin(self, identity: str, lease: Lease, seen: Attendee, now: float) -> None:
        """It holds ``lease``, and is here as ``seen``; unless that was so before."""
        what = (lease.v4, identity, seen.address, seen.transport, seen.peer)
        before = self._open.get(identity)
        if before is not None and before[3:8] == what:
            return
        self.end(identity, now)
        row = self._open[identity] = AuditRow(self._next, "held", now, *what, "")
        self._next += 1
        self._rows.append(row)

    def end(self, identity: str, now: float) -> None:
        """It holds none any more, or is here in another way."""
        row = self._open.pop(identity, None)
        if row is not None:
            reason = self.reasons.get(identity, "connected in another way")
            self._rows.append(row._replace(event="ended", at=now, reason=reason))

    def take(self) -> list[AuditRow]:
        """What is to be stored now."""
        rows, self._rows = self._rows, []
        return rows


class Allotment:
    """``connected``: what has been told of who is here."""

    def __init__(self, connected: Presence, periods: Periods) -> None:
        self.table: Leases | None = None
        """The leases, where there are some."""
        self.attendance = Attendance()
        self.waiting: dict[str, None] = {}
        """Present, and without a lease for want of addresses; the first come is the first served."""
        self.denied = 0
        self._denied_told = -math.inf
        self._connected, self._periods = connected, periods
        self._released: list[tuple[str, bytes]] = []
        self._dirty: dict[str, None] = {}

    @property
    def dirty(self) -> int:
        """Identities that the next batches deal with."""
        return len(self._dirty)

    # --- What happens -----------------------------------------------------------------------------------

    def opened(self, number: int, identity: str | None, peer: str, transport: str, now: float) -> None:
        """A connection carries packets."""
        lease = self.table.get(identity) if self.table is not None and identity else None
        self.attendance.opened(number, identity, peer, transport, now, lease.v6 if lease else b"")

    def bound(self, number: int, address: bytes) -> None:
        """The connection holds one more IPv6 address."""
        self._touch(self.attendance.bound(number, address))

    def unbound(self, number: int, address: bytes) -> None:
        """The connection no longer holds the address."""
        self._touch(self.attendance.unbound(number, address))

    def closed(self, number: int, reason: str) -> None:
        """The connection has ended; an unknown one is ignored."""
        identity = self.attendance.closed(number)
        if identity is not None:
            self._periods.reasons[identity] = reason
            self._touch(identity)

    def gone(self, leases: list[Lease]) -> None:
        """They are nobody's any more."""
        self._released += [(lease.identity, lease.v4) for lease in leases]

    def forbidden(self, leases: list[Lease], reason: str) -> None:
        """Other rules hold, which these do not fit; everybody is looked at again.

        What somebody here has lost is released as well, so before another may hear that he has it.
        """
        for lease in leases:
            log.warning("%s loses its lease %s: %s", lease.identity, IPv4Address(lease.v4), reason)
            self._periods.reasons[lease.identity] = reason
        self.gone(leases)
        for identity in self.attendance.identities():
            self._touch(identity)

    def _touch(self, identity: str | None) -> None:
        if identity is not None:
            self._dirty[identity] = None

    # --- What follows -----------------------------------------------------------------------------------

    def batch(self, now: float, limit: int) -> Batch:
        """Give and take leases for ``limit`` identities that are dirty, and as many leases that are due."""
        if self.table is not None:
            self.gone(self.table.on_timer(now, limit))
        dirty = list(islice(self._dirty, limit))
        for identity in dirty:
            del self._dirty[identity]
        seen = {identity: self.attendance.seen(identity) for identity in dirty}
        for identity in [identity for identity, found in seen.items() if found is None]:
            self._leave(identity, now)
        clients: dict[str, Client | None] = dict.fromkeys(seen)
        clients.update(self._serve_waiting(now))  # before those that have come only now
        for identity, found in seen.items():
            if found is not None:
                clients[identity] = self._serve(identity, found, now)
        clients.update(self._serve_waiting(now))
        released, self._released = self._released, []
        changes: dict[bytes, StoredLease | None] = {}
        if self.table is not None:
            for v4, changed in self.table.take_changes().items():
                changes[v4] = StoredLease.of(changed) if changed else None
        return Batch(changes, self._periods.take(), released, clients)

    def _leave(self, identity: str, now: float) -> None:
        self.waiting.pop(identity, None)
        if self.table is not None:
            client = self._connected.get(identity)
            self.table.let_go(identity, now, client.address if client else b"")
        self._periods.end(identity, now)
        self._periods.reasons.pop(identity, None)

    def _serve(self, identity: str, seen: Attendee, now: float) -> Client:
        lease = self.table.hold(identity, now) if self.table is not None else None
        if lease is not None and self.table is not None:
            self.waiting.pop(identity, None)
            if not lease.v6:
                self.table.remember(identity, seen.address)
            self._periods.begin(identity, lease, seen, now)
        else:
            self._periods.end(identity, now)
            if self.table is not None and identity not in self.waiting:
                self.waiting[identity] = None
                self.denied += 1
                self._tell_denied(identity, self.table.size, now)
        self._periods.reasons.pop(identity, None)
        v4 = lease.v4 if lease else None
        return Client(identity, seen.address, seen.others, v4, seen.peer, seen.transport, seen.since)

    def _tell_denied(self, identity: str, size: int, now: float) -> None:
        """Not each time that somebody comes again: the finding names those who wait."""
        if not 0 <= now - self._denied_told < SAID_AGAIN:
            self._denied_told = now
            log.warning("no lease for %s: all %d are somebody's", identity, size)

    def _serve_waiting(self, now: float) -> dict[str, Client]:
        """Leases for those that came when there was none, as far as there are some now."""
        served: dict[str, Client] = {}
        while self.waiting and self.table is not None:
            identity = next(iter(self.waiting))
            seen = self.attendance.seen(identity)
            if seen is None or self.table.hold(identity, now) is None:
                break
            served[identity] = self._serve(identity, seen, now)
        return served
