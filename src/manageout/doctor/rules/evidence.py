"""What several rules ask of evidence: quotes of what is there, names of interfaces, a client's servers."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Protocol, TypeVar

from manageout.doctor.facts import Facts, Interface, Reached, Seen
from manageout.windows.policies import CONNECTIVITY
from manageout.windows.text import ZONE
from manageout.wire.host_port import host_of

T = TypeVar("T")
_INTRANETS = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
"""RFC 1918, RFC 4193."""


class Quoted(Protocol):
    """Evidence that remembers its words."""

    @property
    def quote(self) -> str:
        """The words."""


def quotes(*found: Quoted | None) -> tuple[str, ...]:
    """Of what is there."""
    return tuple(one.quote for one in found if one is not None)


def stated(found: Seen[T] | None, *values: T) -> tuple[str, ...]:
    """The quote of what is known and has one of the values; else nothing."""
    return (found.quote,) if found is not None and found.value in values else ()


def ended(facts: Facts, end: Seen[float]) -> bool:
    """Whether a certificate's end is past: by the evidence's own date, else by this machine's."""
    if facts.date is not None:
        return end.value - ZONE < facts.date.value
    return facts.read_at is not None and end.value < facts.read_at


def label(one: Interface) -> str:
    """How the evidence calls an interface."""
    return one.quote or one.name or f"interface {one.index or 'without a name'}"


def holding(one: Interface, addresses: Iterable[IPv4Address | IPv6Address]) -> str:
    """An interface and its addresses."""
    return f"{label(one)}: {one.printed(addresses)}"


def events(facts: Facts, mark: str) -> Iterable[tuple[str, ...]]:
    """Each line of event logs and pasted errors that holds ``mark``."""
    return ((line,) for line in facts.events if mark in line)


def gateway(facts: Facts) -> str:
    """The host in the IP-HTTPS URL; empty without one."""
    return host_of(facts.iphttps_url.value) if facts.iphttps_url is not None else ""


def location_url(facts: Facts) -> Seen[object] | None:
    """Where the location server's page is."""
    return facts.value(CONNECTIVITY, "DomainLocationDeterminationUrl")


def location(facts: Facts) -> str:
    """The host in the location server's URL; empty without one."""
    url = location_url(facts)
    return host_of(str(url.value)) if url is not None else ""


def around(facts: Facts) -> tuple[Facts, ...]:
    """The machine, and the others of its evidence."""
    return facts, *facts.beside


_LIKELY = re.compile(r"(?:nls|directaccess-nls|da-nls)[\w-]*\.")


def locations(facts: Facts) -> set[str]:
    """The host of the location server, or where no URL is known the names that look like it."""
    tried = {name for name, _ in facts.tcp} | facts.tls.keys()
    tried |= {one.name.lower().rstrip(".") for one in facts.lookups}
    tried |= {each for one in facts.store for each in names(one)}
    return {location(facts)} if location(facts) else {name for name in tried if _LIKELY.match(name)}


def gateways(facts: Facts) -> set[str]:
    """The names at which clients look for the server, by any machine here, or by what people say."""
    found = {gateway(one) for one in around(facts)}
    found |= {host_of(one.told.url.value) for one in around(facts) if one.told.url is not None}
    to = [one.remote_access.get("connecttoaddress") for one in around(facts)]
    return (found | {one.value.lower() for one in to if one is not None}) - {""}


def names(one: Seen[float]) -> set[str]:
    """Those that a certificate is for."""
    return set(_NAME.findall(one.quote.lower()))


def location_certificates(facts: Facts, host: str) -> list[tuple[Facts, Seen[float]]]:
    """Those in the stores of any machine here whose common name is ``host``, or its domain with a ``*``."""
    held = [(where, one) for where in around(facts) for one in where.store]
    return [each for each in held if _is_for(each[1], {host})]


def _is_for(one: Seen[float], hosts: set[str]) -> bool:
    """Whether a certificate is for one of the hosts, by its own name or its domain's ``*``."""
    return bool(names(one) & {name for host in hosts for name in (host, f"*.{host.partition('.')[2]}")})


def gateway_certificates(facts: Facts) -> list[Seen[float]]:
    """Those of the server that clients connect to: for its name, or for one that looks like it where none is known. A
    name of a machine here is that machine's own."""
    hosts, own = gateways(facts), {one.computer.partition(".")[0].lower() for one in around(facts)}
    return [
        one
        for one in facts.store
        if (_is_for(one, hosts) if hosts else any(map(_PUBLIC.match, names(one))))
        and not {name.partition(".")[0] for name in names(one)} & own
        and not _OF_CLIENTS.search(one.quote)
    ]


def own_certificates(facts: Facts) -> list[Seen[float]]:
    """A machine's own, without those of the location server's page and of the gateway."""
    hosts = {host for one in around(facts) for host in locations(one)}
    pages = [one for host in hosts for _, one in location_certificates(facts, host)]
    pages += gateway_certificates(facts) if facts.role != "client" else []
    return [one for one in facts.store if one not in pages]


_NAME = re.compile(r"\b(?:cn|dns(?:[ -]name)?) ?= ?([\w*.-]{1,255})")
_PUBLIC = re.compile(
    r"(?:da|directaccess|ra|remote|remote-?access|vpn|gw|gateway|access|edge|iphttps|ip-https)\d{0,2}(?:-?gw)?\."
)
_OF_CLIENTS = re.compile(
    r"client ?auth|1\.3\.6\.1\.5\.5\.7\.3\.2\b|authentification du client|autenticación del cliente", re.I
)
"""The usage of machines' own."""


def of_intranets(address: IPv4Address | IPv6Address) -> bool:
    """Of the ranges that anybody may use inside."""
    return any(address in one for one in _INTRANETS if one.version == address.version)


def inner(well: Reached) -> bool:
    """An address of an intranet, at which no client outside looks for its gateway."""
    return well.address is not None and of_intranets(well.address)


Way = Mapping[str, Sequence[object]]
"""Facts by their names -> the values, in small letters, of which each must have one; ``roles``: of which machines."""


def meant(ways: Sequence[Way]) -> Callable[[Facts], Iterator[tuple[str, ...]]]:
    """What a text's ``when`` judges: everything that one of the ways names has one of its values."""

    def look(facts: Facts) -> Iterator[tuple[str, ...]]:
        for way in ways:
            named = {where: values for where, values in way.items() if where != "roles"}
            said = [_said(facts, where, values) for where, values in named.items()]
            if facts.role in way.get("roles", [facts.role]) and all(said):
                yield tuple(quote for one in said for quote in one)
                return

    return look


def _said(facts: Facts, where: str, values: Sequence[object]) -> tuple[str, ...]:
    """``fact``, ``table.key``, ``registry.KEY\\NAME``, or lines of events that hold one of the values."""
    table, _, key = where.partition(".")
    held = getattr(facts, table)
    if table == "events":
        return tuple(line for line in held if any(str(mark) in line for mark in values))
    path, _, name = key.rpartition("\\")
    found = facts.value(path, name) if table == "registry" else held.get(key) if key else held
    value = (
        found.value.lower() if found is not None and isinstance(found.value, str) else found and found.value
    )
    return (found.quote,) if found is not None and (not values or value in values) else ()
