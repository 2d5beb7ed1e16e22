"""The ISATAP router's unique name in the DNS: one A record per router, read back from every server of the zone.

Beside them stands a TXT record that names the site and the addresses that we have put there. What it does not name is
somebody else's and stays.
"""

import time
from collections.abc import Sequence
from functools import partial
from ipaddress import IPv4Address
from typing import NamedTuple

import dns.name
import dns.update

from manageout.directory.dns.conditional import ConditionalUpdates, RecordError, Silent
from manageout.directory.dns.update import Signer
from manageout.directory.dns.zones import Place, Server, Zones

ATTEMPTS = 3
"""Somebody may change the name between our look and our update."""
PAUSE = 0.25
Addresses = frozenset[IPv4Address]


class NameRecords(NamedTuple):
    """What a server has at the name."""

    addresses: Addresses
    ours: Addresses | None
    """What our mark names; None without a mark of ours."""
    texts: tuple[str, ...] = ()
    """Every TXT record, quoted."""


class ReadBack(NamedTuple):
    """What a name server of the zone says. ``fault``: why that is not as wanted, or empty."""

    host: str
    server: Server
    addresses: Addresses
    fault: str


class RouterRecord(ConditionalUpdates):
    """The name ``name`` of the site whose mark begins with ``mark``; blocks."""

    def __init__(self, zones: Zones, signer: Signer | None, mark: str, ttl: int, name: str) -> None:
        super().__init__(zones, signer)
        self._mark, self._ttl = mark, ttl
        self.name = name.lower().rstrip(".")

    def publish(self, wanted: Addresses) -> NameRecords:
        """Our addresses are ``wanted``, and no others; what stood there before. Raises :class:`RecordError`."""
        return self._change(wanted)

    def withdraw(self) -> NameRecords:
        """None of ours is left; what stood there before. Raises :class:`RecordError`."""
        return self._change(frozenset())

    def look(self) -> NameRecords:
        """What stands there, without changing it. Raises :class:`RecordError`."""
        return self.standing(self._place())

    def read_back(self, wanted: Addresses, patience: float) -> list[ReadBack]:
        """What every name server of the zone says; waits ``patience`` seconds for those that follow later."""
        place = self._place()
        deadline = time.monotonic() + patience
        pairs = self._servers(place)
        while True:
            found = [self._read(host, server, wanted) for host, server in pairs]
            if not any(one.fault for one in found) or time.monotonic() >= deadline:
                return found
            time.sleep(PAUSE)

    def _place(self) -> Place:
        place = self.place(self.name)
        if place is None:
            raise RecordError("DNS-NO-ZONE", f"no server here holds a zone for {self.name}")
        return place

    def _change(self, wanted: Addresses) -> NameRecords:
        place = self._place()
        for _ in range(ATTEMPTS):
            before = self.standing(place)
            if before.ours is None and not wanted:
                return before
            if self.send(self.name, self._update(place, before, wanted), place):
                return before
        words = f"{self.name} has records that are not ours: they stay as they are"
        if before.ours is not None:
            words = f"{self.name} is being changed by somebody else at this moment"
        raise RecordError("NAME-TAKEN", words)

    def standing(self, place: Place) -> NameRecords:
        """What the primary server has."""
        texts, addresses = ([row.text for row in self.rows(self.name, kind, place)] for kind in ("TXT", "A"))
        ours = None
        for text in texts:
            if self._is_mark(text):
                ours = frozenset(_addresses(text.strip('"').removeprefix(self._mark).split()))
        return NameRecords(frozenset(_addresses(addresses)), ours, tuple(texts))

    def _is_mark(self, text: str) -> bool:
        """With addresses behind it, or nothing: with anything else it is a client's."""
        rest = (text.strip('"') + " ").removeprefix(self._mark + " ").split()
        return (text.strip('"') + " ").startswith(self._mark + " ") and len(_addresses(rest)) == len(rest)

    def _update(self, place: Place, before: NameRecords, wanted: Addresses) -> dns.update.UpdateMessage:
        update, name = self.update(self.name, place)
        if before.ours is None:
            update.absent(name)
        else:
            update.present(name, "TXT", *before.texts)
            if before.addresses:
                update.present(name, "A", *map(str, sorted(before.addresses)))
            else:
                update.absent(name, "A")
            for address in sorted(before.ours - wanted):
                update.delete(name, "A", str(address))
            for text in before.texts:
                if self._is_mark(text):
                    update.delete(name, "TXT", text)
        foreign = before.addresses - (before.ours or frozenset())
        for address in sorted(wanted):
            update.add(name, self._ttl, "A", str(address))
        if wanted:
            update.add(
                name, self._ttl, "TXT", f'"{" ".join([self._mark, *map(str, sorted(wanted - foreign))])}"'
            )
        return update

    def _servers(self, place: Place) -> list[tuple[str, Server]]:
        """The zone's name servers, at the port where it takes updates. Raises :class:`RecordError`."""
        rows = self.rows(place.zone, "NS", place)
        hosts = [dns.name.from_text(row.text).to_text(omit_final_dot=True) for row in rows]
        found = [
            (host, server)
            for host in hosts
            for server in self.guarded(host, partial(self.zones.addresses, host, place.server.port))
        ]
        unknown = [host for host in hosts if host not in {name for name, _ in found}]
        return [*found, *((host, Server("", 0)) for host in unknown)] or [(place.host, place.server)]

    def _read(self, host: str, server: Server, wanted: Addresses) -> ReadBack:
        if not server.address:
            return ReadBack(host, server, frozenset(), "has no address in the DNS")
        try:
            rows = self.rows(self.name, "A", Place("", server, host))
        except Silent as error:
            return ReadBack(host, server, frozenset(), f"does not answer: {error.reason}")
        except RecordError as error:
            return ReadBack(host, server, frozenset(), error.message)
        found = frozenset(_addresses([row.text for row in rows]))
        return ReadBack(host, server, found, _difference(found, wanted))


def _difference(found: Addresses, wanted: Addresses) -> str:
    parts = []
    if missing := wanted - found:
        parts.append(f"lacks {', '.join(map(str, sorted(missing)))}")
    if more := found - wanted:
        parts.append(f"has also {', '.join(map(str, sorted(more)))}, which is not ours")
    return "; ".join(parts)


def _addresses(texts: Sequence[str]) -> list[IPv4Address]:
    found = []
    for text in texts:
        try:
            found.append(IPv4Address(text))
        except ValueError:
            continue
    return found
