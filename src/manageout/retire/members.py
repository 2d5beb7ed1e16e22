"""Who is meant by the words of an administrator: a group of managers, a network, an address, a name."""

import socket
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any

from manageout.errors import ManageoutError
from manageout.service.state.retire import Member
from manageout.site.tables.site import Site
from manageout.words import texts

EVERYBODY = "everybody"
_texts = partial(texts, "manageout.retire")
Names = Mapping[str, str]
"""Name of a host, lower case and without the domain -> its IPv4 address."""


def chosen(site: Site, words: Iterable[str], names: Names) -> dict[str, list[IPv4Network]]:
    """The networks that each word means. Raises :class:`ManageoutError` for one that means nobody here.

    In this order: ``[[policy.managers]]`` of that name, a network or address, a host that was seen, a name in the DNS.
    """
    found: dict[str, list[IPv4Network]] = {}
    for word in words:
        meant = _group(site, word, names) or _network(word) or _host(word, names)
        mine = [part for network in meant for part in _within(network, everybody(site))]
        if not mine:
            raise ManageoutError(*_texts("no-isatap", word=word, meant=", ".join(map(str, meant))))
        found[word] = list(dict.fromkeys(mine))
    return found


def names(hosts: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """IPv4 addresses of these hosts by their names, with and without the domain."""
    found: dict[str, str] = {}
    for row in hosts:
        if row.get("name"):
            full = row["name"].lower()
            found[full] = found[full.partition(".")[0]] = row["ipv4"]
    return found


def everybody(site: Site) -> list[IPv4Network]:
    """All that the router allows."""
    return list(site.isatap.hosts) if site.isatap else []


def joined(before: Sequence[Member], wanted: Mapping[str, Sequence[IPv4Network]], now: float) -> list[Member]:
    """``before`` and those who are new; who retires already keeps wave and time."""
    known = {member.network: member for member in before}
    new = {one: Member(one, wave, now) for wave, networks in wanted.items() for one in networks}
    return [*before, *(member for network, member in new.items() if network not in known)]


class Index:
    """By which member a host retires; members and hosts may be many."""

    def __init__(self, members: Iterable[Member]) -> None:
        self._by_length: dict[int, dict[int, Member]] = {}
        for member in members:
            shift = 32 - member.network.prefixlen
            known = self._by_length.setdefault(shift, {})
            key = int(member.network.network_address) >> shift
            if key not in known or member.since < known[key].since:
                known[key] = member

    def get(self, ipv4: str) -> Member | None:
        """The earliest that covers the address; None for one that does not retire, or is no IPv4 address."""
        try:
            number = int(IPv4Address(ipv4))
        except AddressValueError:
            return None
        found = (known.get(number >> shift) for shift, known in self._by_length.items())
        return min(filter(None, found), key=lambda member: member.since, default=None)


def groups_left(site: Site, members: Sequence[Member]) -> list[str]:
    """Names of the groups of managers that do not retire wholly, in the order of the site file."""
    left = []
    for manager in site.policy.managers:
        networks = [source for source in manager.source if isinstance(source, IPv4Network)]
        mine = [part for network in networks for part in _within(network, everybody(site))]
        if any(not any(part.subnet_of(member.network) for member in members) for part in mine):
            left.append(manager.name)
    return list(dict.fromkeys(left))


def _group(site: Site, word: str, names: Names) -> list[IPv4Network]:
    found: list[IPv4Network] = []
    for manager in site.policy.managers:
        for source in manager.source if manager.name == word else ():
            if isinstance(source, IPv4Network):
                found.append(source)
            elif isinstance(source, str):
                found += _host(source, names)
    return found


def _network(word: str) -> list[IPv4Network]:
    try:
        return [IPv4Network(word)]
    except ValueError as error:
        if word.replace(".", "").replace("/", "").isdigit():
            raise ManageoutError(*_texts("no-network", word=word, fault=error)) from None
        return []


def _host(word: str, names: Names) -> list[IPv4Network]:
    seen = names.get(word.lower().rstrip(".")) or names.get(word.lower().partition(".")[0])
    if seen is not None:
        return [IPv4Network(seen)]
    try:
        rows = socket.getaddrinfo(word, None, socket.AF_INET, socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        raise ManageoutError(*_texts("nobody", word=word)) from None
    return [IPv4Network(address) for address in dict.fromkeys(str(row[4][0]) for row in rows)]


def _within(network: IPv4Network, allowed: Iterable[IPv4Network]) -> list[IPv4Network]:
    """The parts of ``network`` that are allowed."""
    parts = []
    for other in allowed:
        if network.subnet_of(other):
            return [network]
        if other.subnet_of(network):
            parts.append(other)
    return parts
