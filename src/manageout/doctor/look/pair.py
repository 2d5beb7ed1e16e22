"""Who is meant by HOST and CLIENT: by name or address, from what daemon, DNS and site file know."""

import time
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from typing import TypeVar

from manageout.doctor.reach.reach import ReachedClient
from manageout.errors import AddressError
from manageout.service.probe import dns as probe_dns
from manageout.service.probe.results import DnsAnswer
from manageout.service.process.rows import ClientRow, DropRow, LeasePeriod, LeaseRow
from manageout.site.tables.site import Site
from manageout.wire.address import embedded_isatap

Row = TypeVar("Row", ClientRow, LeaseRow, LeasePeriod)
RECENT = 3600.0
"""Seconds within which a refusal is of today."""
STRANGER = 600.0
"""The same, where nobody knows from where the client comes."""


def full_name(name: str, domain: str) -> str:
    """With the intranet's domain, if it has none."""
    name = name.lower().rstrip(".")
    return name if "." in name or not domain else f"{name}.{domain}"


def manager(
    text: str, domain: str, servers: Sequence[str], site: Site | None
) -> tuple[list[IPv4Address], str, list[DnsAnswer]]:
    """IPv4 addresses of HOST, or why there are none; and what name servers said.

    Raises :class:`AddressError` for a manager that has IPv6 of its own: leases and ISATAP are not its ways.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return _named(text, domain, servers, site)
    if isinstance(address, IPv4Address):
        return [address], "", []
    inside = embedded_isatap(address.packed)
    if inside is not None:
        return [IPv4Address(inside)], "", []
    hint = "give the IPv4 address of a manager; one with IPv6 of its own needs neither lease nor ISATAP"
    raise AddressError(f"{text} is no ISATAP address", hint)


def _named(
    text: str, domain: str, servers: Sequence[str], site: Site | None
) -> tuple[list[IPv4Address], str, list[DnsAnswer]]:
    answers = probe_dns.ask_all([(full_name(text, domain), "A")], servers)
    found = [IPv4Address(record) for answer in answers for record in answer.records]
    for table in site.policy.managers if site is not None and not found else ():
        if table.name.lower() == text.lower():
            found += [n[0] for n in table.source if isinstance(n, IPv4Network) and n.num_addresses == 1]
    if found:
        return list(dict.fromkeys(found)), "", answers
    texts, error = probe_dns.resolve(text)
    found = [IPv4Address(each) for each in texts if ":" not in each]
    return found, "" if found else error or "no IPv4 address", answers


def client(
    text: str,
    domain: str,
    clients: Sequence[ClientRow],
    leases: Sequence[LeaseRow],
    audit: Sequence[LeasePeriod],
    drops: Sequence[DropRow],
) -> tuple[ReachedClient, str]:
    """CLIENT as the gateway knows it, and its identity."""

    identity = ""

    def first(rows: Sequence[Row], addresses: Callable[[Row], Iterable[str | None]]) -> Row | None:
        """Who is meant, or has the identity that is known by now."""
        for each in rows:
            name = each["name"].lower()
            called = name in (text.lower(), full_name(text, domain)) or name.partition(".")[0] == text.lower()
            if called or text in addresses(each) or (identity and each["name"] == identity):
                return each
        return None

    held = first(leases, lambda each: (each["ipv4"], each["address"], *each["others"]))
    identity = held["name"] if held else ""
    row = first(clients, lambda each: each["addresses"])
    last = first(audit, lambda each: (each["ipv4"], each["address"]))
    identity = row["name"] if row is not None else identity or (last["name"] if last else text.lower())
    lease, state = (held["ipv4"] or "", held["state"]) if held else ("", "")
    name = full_name(identity, domain)
    if row is not None:
        stable = [held["address"]] if held and held["address"] else []
        addresses = dict.fromkeys([*stable, *row["addresses"]])
        unique = tuple(address for address in addresses if not address.startswith("fe80:"))
        quiet = max(0.0, time.time() - row["last_seen"])
        return ReachedClient(name, True, unique, lease, state, row["peer"], quiet), identity
    peer, gone = (last["peer"], last["until"] or last["since"]) if last else ("", None)
    said = tuple(_refusals(drops, peer, gone))
    return ReachedClient(name, False, (), lease, state, peer, None, said, bool(held or last)), identity


def _refusals(drops: Sequence[DropRow], peer: str, gone: float | None) -> Iterable[str]:
    """Certificates that were refused from where the client comes, since it has gone."""
    place = peer.rpartition(":")[0].strip("[]")
    since = time.time() - (RECENT if place else STRANGER)
    for row in drops:
        last = row["last"] or 0.0
        late = last > max(gone or 0.0, since)
        if row["reason"].startswith("certificate-") and late and _within(place, row["source"]):
            ago = max(0.0, time.time() - last)
            yield f"{row['reason']} from {row['source']}, {row['count']} times, last {ago:.0f} s ago"


def _within(place: str, source: str) -> bool:
    try:
        return not place or ip_address(place) in ip_network(source, strict=False)
    except ValueError:
        return False
