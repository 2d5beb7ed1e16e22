"""What ``manageout leases``, ``status`` and Prometheus are told about the leases."""

import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address

from manageout.protocol.leases.leases import State
from manageout.service.leases.allotment import Allotment
from manageout.service.process.finding import Finding, finding
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
        yield finding("POOL-EXHAUSTED", clients=counted(waiting, "client has", "clients have"), pool=pool)
    anonymous = allotment.attendance.anonymous
    if allotment.table is not None and anonymous:
        yield finding("CLIENTS-WITHOUT-NAME", clients=counted(anonymous, "client has", "clients have"))


def stored(store: LeaseStore, unlogged: int, wary_until: float | None) -> Iterator[Finding]:
    """Of the file. ``unlogged``: entries of the audit log that a disk that refused has cost. ``wary_until``: others
    may remember until then what was lost.
    """
    yield from store.findings("LEASES", "new ones wait")
    if store.crowded_by:
        yield finding("LEASES-AUDIT-FULL", client=printable(store.crowded_by), file=store.path)
    if wary_until is not None:
        yield finding("LEASES-LOST", until=time.strftime("%Y-%m-%d %H:%M", time.localtime(wary_until)))
    if unlogged:
        yield finding("LEASES-AUDIT-INCOMPLETE", entries=counted(unlogged, "entry", "entries"))


def metrics(allotment: Allotment) -> Iterator[Metric]:
    """How full the pool is."""
    table = allotment.table
    if table is None:
        return
    states = [({"state": state.value}, float(table.count(state))) for state in SHOWN]
    states.append(({"state": "free"}, float(table.free)))
    yield Metric("leases", states)
    yield Metric("leases_waiting", len(allotment.waiting))
    yield Metric("leases_denied", allotment.denied)
