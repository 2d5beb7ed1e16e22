"""What Router Advertisements say of names: DNS servers and search list (RFC 8106), NAT64 prefixes (RFC 8781).

Each entry lives as long as its option says; an option with lifetime 0 withdraws its entries. Bounded, so that a
flood of options fills no memory; and only what can be what it claims to be is kept, for it ends in the resolver's
file, where a name with a line break would be a line of its own.
"""

import math
from collections.abc import Iterable, Sequence
from ipaddress import IPv6Network
from typing import Any, NamedTuple, TypeVar

from manageout.errors import AddressError, BadArgument
from manageout.protocol.host.name_policy import domain
from manageout.protocol.host.slaac import Prefix, deadline
from manageout.wire.address import rfc6052_octets
from manageout.wire.nd import Dnssl, Option, Pref64, Rdnss

MAX_SERVERS = 3
"""RFC 8106 5.3.1: hosts should keep at least three."""
MAX_NAMES = 16
MAX_PREFIXES = 8

Entry = TypeVar("Entry")


class NamesSeen(NamedTuple):
    """What holds now, each in the order in which it was learnt."""

    servers: tuple[bytes, ...] = ()
    """IPv6 addresses of DNS servers, 16 bytes each."""
    search: tuple[str, ...] = ()
    """Domains, without the last dot."""
    nat64: tuple[Prefix, ...] = ()
    """NAT64 prefixes: 16 bytes and length."""


class LinkNames:
    """Of one link."""

    def __init__(self) -> None:
        self._servers: dict[bytes, float] = {}
        self._search: dict[str, float] = {}
        self._nat64: dict[Prefix, float] = {}

    def _tables(self) -> tuple[dict[Any, float], ...]:
        return self._servers, self._search, self._nat64

    def update(self, options: Iterable[Option], now: float) -> None:
        """Take the options of one advertisement."""
        for option in options:
            match option:
                case Rdnss():
                    servers = [address for address in option.addresses if _is_server(address)]
                    _note(self._servers, servers, deadline(option.lifetime, now), now, MAX_SERVERS)
                case Dnssl():
                    names = [name for name in map(_domain, option.names) if name]
                    _note(self._search, names, deadline(option.lifetime, now), now, MAX_NAMES)
                case Pref64():
                    prefixes = [(option.prefix, option.length)] if _holds_ipv4(option) else []
                    _note(self._nat64, prefixes, now + option.lifetime, now, MAX_PREFIXES)

    def expire(self, now: float) -> None:
        """Forget what has ended."""
        for table in self._tables():
            for entry in [entry for entry, until in table.items() if until <= now]:
                del table[entry]

    def next_expiry(self) -> float:
        """When the first entry ends (infinity when there is none)."""
        return min((until for table in self._tables() for until in table.values()), default=math.inf)

    def seen(self) -> NamesSeen:
        """Everything that holds."""
        return NamesSeen(tuple(self._servers), tuple(self._search), tuple(self._nat64))


def _note(table: dict[Entry, float], entries: Sequence[Entry], until: float, now: float, most: int) -> None:
    for entry in entries:
        if until <= now:
            table.pop(entry, None)
        elif entry in table or len(table) < most:
            table[entry] = until


def _is_server(address: bytes) -> bool:
    """A unicast address of another machine; the first 96 bits zero are loopback, and IPv4 in disguise."""
    return any(address[:10]) and address[0] != 0xFF


def _domain(name: str) -> str | None:
    try:
        return domain(name)
    except BadArgument:
        return None


def _holds_ipv4(option: Pref64) -> bool:
    try:
        rfc6052_octets(IPv6Network((option.prefix, option.length)))
    except AddressError:
        return False
    return any(option.prefix[:4]) and option.prefix[0] != 0xFF
