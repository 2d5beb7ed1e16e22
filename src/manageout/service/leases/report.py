"""What ``manageout leases``, ``status`` and Prometheus are told about the leases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address

from manageout.protocol.leases.leases import State
from manageout.service.leases.allotment import Allotment
from manageout.service.process.finding import Finding
from manageout.service.process.metrics import Metric
from manageout.service.process.presence import Client, Presence
from manageout.service.process.rows import LeaseRow, RoleStatus
from manageout.service.state.leases import LeaseStore
from manageout.words import counted, printable

SHOWN = (State.HELD, State.GRACE, State.QUARANTINE)


def status(pool: IPv4Network | None, allotment: Allotment) -> RoleStatus:
    """How many there are."""
    table = allotment.table
    if table is None:
        return {"pool": None}
    counts = {state.value: table.count(state) for state in SHOWN}
    return {"pool": str(pool), **counts, "free": table.free, "waiting": len(allotment.waiting)}


def rows(allotment: Allotment, connected: Presence) -> Iterator[LeaseRow]:
    """One row a lease, by address; then the clients that are without one for want of addresses.

    A lease that is not on the disk yet is still waited for.
    """
    table = allotment.table
    leases = sorted(table, key=lambda lease: lease.v4) if table is not None else []
    for lease in leases:
        if table is not None and lease.state is not State.PAST:
            client = connected.get(lease.identity) if lease.state is State.HELD else None
            stored = client is not None and client.lease == lease.v4
            row = _row(lease.identity, client)
            row["ipv4"], row["fixed"] = str(IPv4Address(lease.v4)), table.is_fixed(lease.v4)
            row["until"] = table.ends(lease)
            if stored or lease.state is not State.HELD:
                row["state"] = lease.state.value
            if client is None:
                row["address"] = str(IPv6Address(lease.v6)) if lease.v6 else None
                row["since"] = lease.since
            yield row
    for identity in list(allotment.waiting):
        yield _row(identity, connected.get(identity))


def _row(identity: str, client: Client | None) -> LeaseRow:
    """Of one who waits for a lease, as far as the connection tells."""
    return {
        "name": identity,
        "ipv4": None,
        "state": "waiting",
        "fixed": False,
        "until": None,
        "address": str(IPv6Address(client.address)) if client else None,
        "others": [str(IPv6Address(address)) for address in client.others] if client else [],
        "since": client.since if client else None,
        "peer": client.peer if client else None,
        "transport": client.transport if client else None,
    }


def findings(pool: IPv4Network | None, allotment: Allotment) -> Iterator[Finding]:
    """Of clients that get none."""
    if waiting := len(allotment.waiting):
        what = f"{counted(waiting, 'client has', 'clients have')} no IPv4 address: all of {pool} are taken"
        remedy = (
            "enlarge translation.pool (or block), or shorten translation.grace and translation.quarantine"
        )
        yield Finding("POOL-EXHAUSTED", "error", what, remedy)
    anonymous = allotment.attendance.anonymous
    if allotment.table is not None and anonymous:
        who = counted(anonymous, "client has", "clients have")
        what = f"{who} no certificate, so no IPv4 address and no DNS name"
        yield Finding("CLIENTS-WITHOUT-NAME", "warning", what, 'set gateway.authentication = "certificates"')


def stored(store: LeaseStore, unlogged: int, wary_until: float | None) -> Iterator[Finding]:
    """Of the file. ``unlogged``: entries of the audit log that a disk that refused has cost. ``wary_until``: others
    may remember until then what was lost.
    """
    yield from store.findings("LEASES", "new ones wait")
    yield from _audit_full(store)
    if wary_until is not None:
        yield _lost(wary_until)
    if unlogged:
        what = f"{counted(unlogged, 'entry', 'entries')} of the audit log were lost while the disk refused"
        remedy = "nothing: watch the disk of daemon.state_dir"
        yield Finding("LEASES-AUDIT-INCOMPLETE", "warning", what, remedy)


def _audit_full(store: LeaseStore) -> Iterator[Finding]:
    if store.crowded_by:
        what = (
            f"the audit log is full: the oldest connections of {printable(store.crowded_by)} make way, which has the"
            " most, before translation.audit_days are over"
        )
        remedy = f"see why it connects so often: manageout leases --audit; its entries are in {store.path} until then"
        yield Finding("LEASES-AUDIT-FULL", "warning", what, remedy)


def _lost(until: float) -> Finding:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(until))
    return Finding(
        "LEASES-LOST",
        "warning",
        "leases were lost with their file: clients may get another address than before, and an address may come to"
        f" another client than intranet hosts remember. Until {when} new ones come from the end of the pool, where"
        " it was used last",
        "look at DNS records, firewalls and open sessions that name addresses of the pool; translation.fixed promises"
        " one to a client",
    )


def metrics(allotment: Allotment) -> Iterator[Metric]:
    """How full the pool is."""
    table = allotment.table
    if table is None:
        return
    states = [({"state": state.value}, float(table.count(state))) for state in SHOWN]
    states.append(({"state": "free"}, float(table.free)))
    yield Metric("leases", "Intranet IPv4 addresses of the pool, by state.", "gauge", states)
    yield Metric(
        "leases_waiting", "Clients that wait for an address.", "gauge", [({}, float(len(allotment.waiting)))]
    )
    yield Metric(
        "leases_denied", "Clients that got no address at first.", "counter", [({}, float(allotment.denied))]
    )
