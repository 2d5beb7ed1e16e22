"""What site file, daemon and certificate of this machine say about a manager and its clients."""

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
        hidden = "clients hide behind the gateway's address (translation.masquerade)"
        return f"{hidden}: nobody calls them by lease"
    return ""


def certificate(site: Site) -> str:
    """Why every client would refuse the gateway's certificate; empty when none would for its dates."""
    if site.gateway is None:
        return ""
    found, now = probe_certificate.from_file(site.gateway.certificate), time.time()
    if found.error:
        return f"{found.place}: {found.error}"
    if not found.not_before <= now <= found.not_after:
        moments = map(time.gmtime, (found.not_before, found.not_after, now))
        first, last, today = (time.strftime("%Y-%m-%d", moment) for moment in moments)
        return f"{found.place} is valid from {first} to {last}, today is {today}"
    return ""


def isatap(
    table: IsatapTable, host: IPv4Address, hosts: Sequence[HostRow], drops: Sequence[DropRow], ready: bool
) -> Isatap:
    """The manager ``host`` as the ISATAP router of this machine knows it; rows as the daemon tells them."""
    row = next((each for each in hosts if each["ipv4"] == str(host)), None)
    now, what = time.time(), ("host-not-allowed", str(host))
    mine = (drop for drop in drops if (drop["reason"], drop["source"]) == what)
    refused = sum(drop["count"] for drop in mine if (drop["last"] or 0) > now - RECENT)
    last = max(row["last_rs"], row["last_packet"]) if row is not None else 0.0
    return Isatap(
        any(host in network for network in table.hosts),
        max(0.0, now - last) if last else None,
        refused,
        ready=ready,
        retires=row is not None and row["retires"],
    )
