"""The DNS as ``manageout check`` sees it: servers that answer, and a key or keytab that can be used."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

from manageout.config import Site
from manageout.directory.zones import Server, Unreachable, Zones
from manageout.service.names import updater_of

WAIT = 2.0
"""Seconds to wait for a server."""

Found = tuple[Literal["note", "warning", "error"], str, str]


def upstreams(site: Site) -> Iterator[Found]:
    """The servers of ``[dns64]``, all asked at once."""
    if site.dns64 is None:
        return
    servers = site.dns64.upstreams
    with ThreadPoolExecutor(max_workers=min(16, len(servers))) as pool:
        answers = list(pool.map(_answers, servers))
    for server, answered in zip(servers, answers, strict=True):
        if not answered:
            remedy = f"try `dig @{Server.parse(server).address} .` here; mend dns64.upstreams"
            yield "warning", f"DNS server {server} does not answer", remedy


def _answers(server: str) -> bool:
    place = Server.parse(server)
    query = dns.message.make_query(".", dns.rdatatype.NS)
    try:
        dns.query.udp(query, place.address, WAIT, place.port)
    except (dns.exception.DNSException, OSError):
        return False
    return True


def updates(site: Site) -> Iterator[Found]:
    """The key of ``[names]``, which must be there for the daemon to start, and the zone.

    Raises :class:`~manageout.errors.ManageoutError` for a key or keytab that cannot be used.
    """
    table = site.names
    if table is None:
        return
    updater_of(site)
    zone = table.zone or site.site.domain
    zones = Zones(table.servers, site.dns64.upstreams if site.dns64 else ())
    try:
        place = zones.place(f"manageout-check.{zone}")
    except Unreachable as error:
        yield "warning", f"the zone {zone} cannot be looked for: {error.message}", error.hint
        return
    if place is None or place.zone.lower() != zone.lower():
        found = f", which belongs to {place.zone}" if place else ""
        yield (
            "warning",
            f"no server holds the zone {zone}{found}",
            "set names.zone to a zone of these servers",
        )
