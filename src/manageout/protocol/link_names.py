"""What Router Advertisements say of names: DNS servers and search list (RFC 8106), NAT64 prefixes (RFC 8781).

Each entry lives as long as its option says; an option with lifetime 0 withdraws its entries. Bounded, so that a
flood of options fills no memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from manageout.protocol.slaac import Prefix, deadline
from manageout.wire.nd_options import Dnssl, Option, Pref64, Rdnss

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

    def update(self, options: Iterable[Option], now: float) -> None:
        """Take the options of one advertisement."""
        for option in options:
            match option:
                case Rdnss():
                    _note(self._servers, option.addresses, deadline(option.lifetime, now), now, MAX_SERVERS)
                case Dnssl():
                    names = [name.lower() for name in option.names]
                    _note(self._search, names, deadline(option.lifetime, now), now, MAX_NAMES)
                case Pref64():
                    prefix = (option.prefix, option.length)
                    _note(self._nat64, [prefix], now + option.lifetime, now, MAX_PREFIXES)

    def expire(self, now: float) -> None:
        """Forget what has ended."""
        _drop_ended(self._servers, now)
        _drop_ended(self._search, now)
        _drop_ended(self._nat64, now)

    def next_expiry(self) -> float:
        """When the first entry ends (infinity when there is none)."""
        tables = (self._servers, self._search, self._nat64)
        return min((until for table in tables for until in table.values()), default=math.inf)

    def seen(self) -> NamesSeen:
        """Everything that holds."""
        return NamesSeen(tuple(self._servers), tuple(self._search), tuple(self._nat64))


def _note(table: dict[Entry, float], entries: Sequence[Entry], until: float, now: float, most: int) -> None:
    for entry in entries:
        if until <= now:
            table.pop(entry, None)
        elif entry in table or len(table) < most:
            table[entry] = until


def _drop_ended(table: dict[Entry, float], now: float) -> None:
    for entry in [entry for entry, until in table.items() if until <= now]:
        del table[entry]
