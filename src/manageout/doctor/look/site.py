"""What site file, daemon and certificate of this machine say about a manager and its clients."""

from __future__ import annotations

import time
from collections.abc import Sequence
from ipaddress import IPv4Address

from manageout.doctor.look.pair import RECENT
from manageout.doctor.reach.reach import Isatap
from manageout.service.probe import certificate as probe_certificate
from manageout.service.process.rows import DropRow, HostRow
from manageout.site.tables.site import IsatapTable, Site


def no_lease(site: Site) -> str:
    """Why nobody can call clients by their leases; empty when somebody can, or it is not known here."""
    if site.gateway is None:
        return ""
    if site.translation is None:
        return "the site file gives clients no leases ([translation])"
    if site.translation.masquerade:
        return (
            "clients hide behind the gateway's address (translation.masquerade): nobody calls them by lease"
        )
    return ""


def certificate(site: Site) -> str:
    """Why every client would refuse the gateway's certificate; empty when none would for its dates."""
    if site.gateway is None:
        return ""
    found, now = probe_certificate.from_file(site.gateway.certificate), time.time()
    if found.error:
        return f"{found.place}: {found.error}"
    if not found.not_before <= now <= found.not_after:
        first, last, today = (
            time.strftime("%Y-%m-%d", time.gmtime(at)) for at in (found.not_before, found.not_after, now)
        )
        return f"{found.place} is valid from {first} to {last}, today is {today}"
    return ""


def isatap(
    table: IsatapTable, host: IPv4Address, hosts: Sequence[HostRow], drops: Sequence[DropRow], ready: bool
) -> Isatap:
    """The manager ``host`` as the ISATAP router of this machine knows it; rows as the daemon tells them."""
    row = next((each for each in hosts if each["ipv4"] == str(host)), None)
    now, refused = time.time(), 0
    for drop in drops:
        recent = (drop["last"] or 0) > now - RECENT
        if recent and (drop["reason"], drop["source"]) == ("host-not-allowed", str(host)):
            refused += drop["count"]
    last = max(row["last_rs"], row["last_packet"]) if row is not None else 0.0
    return Isatap(
        any(host in network for network in table.hosts),
        max(0.0, now - last) if last else None,
        refused,
        ready=ready,
        retires=row is not None and row["retires"],
    )
