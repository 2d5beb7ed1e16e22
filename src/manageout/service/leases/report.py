"""What ``manageout leases``, ``status`` and Prometheus are told about the leases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from manageout.protocol.leases.leases import State
from manageout.service.process.finding import Finding
from manageout.service.process.metrics import Metric
from manageout.service.process.presence import Client
from manageout.service.process.rows import LeaseRow, RoleStatus
from manageout.service.state.leases import LeaseStore
from manageout.words import counted, printable

if TYPE_CHECKING:
    from manageout.service.leases.keeper import LeaseKeeper

SHOWN = (State.HELD, State.GRACE, State.QUARANTINE)


def status(keeper: LeaseKeeper) -> RoleStatus:
    """How many there are."""
    table = keeper.table
    if table is None:
        return {"pool": None}
    counts = {state.value: table.count(state) for state in SHOWN}
    return {"pool": str(keeper.plan.leases), **counts, "free": table.free, "waiting": len(keeper.waiting)}


def rows(keeper: LeaseKeeper) -> Iterator[LeaseRow]:
    """One row a lease, by address; then the clients that are without one for want of addresses.

    A lease that is not on the disk yet is still waited for.
    """
    table = keeper.table
    leases = sorted(table, key=lambda lease: lease.v4) if table is not None else []
    for lease in leases:
        if table is not None and lease.state is not State.PAST:
            client = keeper.connected.get(lease.identity) if lease.state is State.HELD else None
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
    for identity in list(keeper.waiting):
        yield _row(identity, keeper.connected.get(identity))


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


def findings(keeper: LeaseKeeper) -> list[Finding]:
    """What somebody should look at."""
    found: list[Finding] = []
    if keeper.waiting:
        found.append(
            Finding(
                "POOL-EXHAUSTED",
                "error",
                f"{counted(len(keeper.waiting), 'client has', 'clients have')} no IPv4 address:"
                f" all of {keeper.plan.leases} are taken",
                "enlarge translation.pool (or block), or shorten translation.grace and translation.quarantine",
            )
        )
    if keeper.store is not None:
        found += keeper.store.findings("LEASES", "new ones wait")
        found += _audit_full(keeper.store)
    if (until := keeper.wary_until) is not None:
        found.append(_lost(until))
    if keeper.unlogged:
        what = f"{counted(keeper.unlogged, 'entry', 'entries')} of the audit log were lost while the disk refused"
        remedy = "nothing: watch the disk of daemon.state_dir"
        found.append(Finding("LEASES-AUDIT-INCOMPLETE", "warning", what, remedy))
    found += keeper.guard.findings()
    if keeper.table is not None and keeper.attendance.anonymous:
        found.append(
            Finding(
                "CLIENTS-WITHOUT-NAME",
                "warning",
                f"{counted(keeper.attendance.anonymous, 'client has', 'clients have')} no certificate,"
                " so no IPv4 address and no DNS name",
                'set gateway.authentication = "certificates"',
            )
        )
    return found


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


def metrics(keeper: LeaseKeeper) -> Iterator[Metric]:
    """How full the pool is."""
    table = keeper.table
    if table is None:
        return
    states = [({"state": state.value}, float(table.count(state))) for state in SHOWN]
    states.append(({"state": "free"}, float(table.free)))
    yield Metric("leases", "Intranet IPv4 addresses of the pool, by state.", "gauge", states)
    yield Metric(
        "leases_waiting", "Clients that wait for an address.", "gauge", [({}, float(len(keeper.waiting)))]
    )
    yield Metric(
        "leases_denied", "Clients that got no address at first.", "counter", [({}, float(keeper.denied))]
    )
