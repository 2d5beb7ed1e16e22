"""The DNS as ``manageout check`` sees it: servers that answer, and a key or keytab that can be used."""

import asyncio
import threading
from collections.abc import Collection, Iterator

import dns.exception
import dns.message
import dns.rdatatype

from manageout.directory.dns.update import Signer, SignerError, signed_question
from manageout.directory.dns.zones import Place, Server, Unreachable
from manageout.protocol.names.registrar import Problem
from manageout.service.check.found import Remark, remark
from manageout.service.names.names import remedy_of, signer_of, zones_of
from manageout.service.policy.filter_managers import names_of
from manageout.service.policy.machine_names import manager_addresses
from manageout.service.probe import dns as probe_dns
from manageout.service.process.finding import finding
from manageout.service.process.lookups import intranet_resolver
from manageout.site.tables.names import NamesTable
from manageout.site.tables.site import Site
from manageout.words import said

WAIT = 2.0
"""Seconds to wait for a server."""
KERBEROS_WAIT = 10.0
"""Its library asks a silent server for half a minute."""
AT_ONCE = 64


def upstreams(site: Site) -> Iterator[Remark]:
    """The servers of ``[dns64]``, all asked at once."""
    servers = site.dns64.upstreams if site.dns64 is not None else ()
    for answer in probe_dns.ask_all([(".", "NS")], servers):
        if answer.error:
            address = Server.parse(answer.server).address
            yield remark("dns-silent", server=answer.server, why=answer.error, address=address)


def updates(site: Site) -> Iterator[Remark]:
    """The key of ``[names]``, which must be there for the daemon to start, and the zone.

    Raises :class:`~manageout.errors.ManageoutError` for a key or keytab that cannot be used.
    """
    table = site.names
    if table is None:
        return
    signer = signer_of(table)
    zone = table.zone or site.site.domain
    try:
        place = zones_of(site).place(f"manageout-check.{zone}")
    except Unreachable as failure:
        yield remark("zone-not-sought", zone=zone, why=failure.message, hint=failure.hint)
        return
    if place is None or place.zone.lower() != zone.lower():
        found = f", which belongs to {place.zone}" if place else ""
        yield remark("no-zone", zone=zone, found=found)
    elif signer is not None and (problem := _refused(signer, place, table)) is not None:
        hint = remedy_of(problem.code, table)
        yield remark("update-refused", words=problem.words, code=problem.code, hint=hint)


def _refused(signer: Signer, place: Place, table: NamesTable) -> Problem | None:
    """What the server says against our signature; a Kerberos library has to be left behind when it waits."""
    silent = Problem("DNS-UNREACHABLE", f"{place.server.address} does not answer a signed question in time")
    answers: list[Problem | None] = []
    asking = threading.Thread(target=lambda: answers.append(_signed(signer, place, table)), daemon=True)
    asking.start()
    asking.join(KERBEROS_WAIT)
    return answers[0] if answers else silent


def _signed(signer: Signer, place: Place, table: NamesTable) -> Problem | None:
    try:
        if (
            table.authentication == "kerberos"
        ):  # agreeing on a key says it; not every server takes more than updates
            signer.sign(dns.message.make_query(place.zone, dns.rdatatype.SOA), place)
            return None
        return signed_question(signer, place)
    except SignerError as failure:
        return Problem(failure.code, failure.message)
    except (dns.exception.DNSException, OSError, EOFError) as failure:
        return Problem("DNS-UNREACHABLE", f"{place.server.address}: {said(failure)}")


def managers(site: Site) -> Iterator[Remark]:
    """The names in ``[[policy.managers]]``: one that has no address lets nobody in."""
    names = dict.fromkeys(name for manager in site.policy.managers for name in names_of(manager))
    for name, state in zip(names, asyncio.run(_states(site, names)), strict=True):
        if state:
            told = finding("MANAGER-NAME", name=name, state=state)
            yield Remark("warning", told.what, told.remedy)


async def _states(site: Site, names: Collection[str]) -> list[str]:
    limit = asyncio.Semaphore(AT_ONCE)

    async def state(name: str) -> str:
        async with limit:
            return (await manager_addresses(lambda: intranet_resolver(site, WAIT), name))[0]

    return await asyncio.gather(*map(state, names))
