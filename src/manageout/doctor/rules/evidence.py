"""What several rules ask of evidence: quotes of what is there, names of interfaces, a client's servers."""

from __future__ import annotations

from collections.abc import Iterable
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
    return one.quote or one.name


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


def of_intranets(address: IPv4Address | IPv6Address) -> bool:
    """Of the ranges that anybody may use inside."""
    return any(address in one for one in _INTRANETS if one.version == address.version)


def inner(well: Reached) -> bool:
    """An address of an intranet, at which no client outside looks for its gateway."""
    return well.address is not None and of_intranets(well.address)
