"""The ISATAP router's unique name in the DNS: one A record per router, read back from every server of the zone.

Beside them stands a TXT record that names the site and the addresses that we have put there. What it does not name is
somebody else's and stays; every update has what was read as its prerequisite, so that nothing can come in between
(RFC 2136 3.2).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from typing import NamedTuple, TypeVar

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.update

from manageout.directory.dns.answer import Answer
from manageout.directory.dns.update import Signer, SignerError, exchange, problem_of
from manageout.directory.dns.zones import TIMEOUT, Place, Server, Zones
from manageout.errors import ManageoutError
from manageout.protocol.names.registrar import NOTHING, Task
from manageout.words import said

ATTEMPTS = 3
"""Somebody may change the name between our look and our update."""
PAUSE = 0.25
Addresses = frozenset[IPv4Address]
Result = TypeVar("Result")
Silent = (dns.exception.DNSException, OSError, EOFError)


class RecordError(ManageoutError):
    """The name was not changed. ``code``: as in the findings of ``[names]``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Standing(NamedTuple):
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


class RouterRecord:
    """The name ``name`` of the site whose mark begins with ``mark``; blocks."""

    def __init__(self, zones: Zones, signer: Signer | None, mark: str, ttl: int, name: str) -> None:
        self._zones, self._signer, self._mark, self._ttl = zones, signer, mark, ttl
        self.name = name.lower().rstrip(".")

    def publish(self, wanted: Addresses) -> Standing:
        """Our addresses are ``wanted``, and no others; what stood there before. Raises :class:`RecordError`."""
        return self._change(wanted)

    def withdraw(self) -> Standing:
        """None of ours is left; what stood there before. Raises :class:`RecordError`."""
        return self._change(frozenset())

    def look(self) -> Standing:
        """What stands there, without changing it. Raises :class:`RecordError`."""
        place = self._place()
        return self._guarded(lambda: self.standing(place))

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
        place = self._zones.place(self.name)
        if place is None:
            raise RecordError("DNS-NO-ZONE", f"no server here holds a zone for {self.name}")
        return place

    def _change(self, wanted: Addresses) -> Standing:
        place = self._place()
        for _ in range(ATTEMPTS):
            before = self._guarded(lambda: self.standing(place))
            if before.ours is None and not wanted:
                return before
            if self._sent(self._update(place, before, wanted), place):
                return before
        words = f"{self.name} has records that are not ours: they stay as they are"
        if before.ours is not None:
            words = f"{self.name} is being changed by somebody else at this moment"
        raise RecordError("NAME-TAKEN", words)

    def standing(self, place: Place) -> Standing:
        """What the primary server has."""
        texts, addresses = self._rows(place, "TXT"), self._rows(place, "A")
        ours = None
        for text in texts:
            if self._is_mark(text):
                ours = frozenset(_addresses(text.strip('"').removeprefix(self._mark).split()))
        return Standing(frozenset(_addresses(addresses)), ours, tuple(texts))

    def _is_mark(self, text: str) -> bool:
        """With addresses behind it, or nothing: with anything else it is a client's."""
        rest = (text.strip('"') + " ").removeprefix(self._mark + " ").split()
        return (text.strip('"') + " ").startswith(self._mark + " ") and len(_addresses(rest)) == len(rest)

    def _update(self, place: Place, before: Standing, wanted: Addresses) -> dns.update.UpdateMessage:
        update = dns.update.UpdateMessage(place.zone)
        name = dns.name.from_text(self.name).relativize(dns.name.from_text(place.zone))
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

    def _sent(self, update: dns.update.UpdateMessage, place: Place) -> bool:
        """Whether it is done; false when the name is not as we saw it."""
        answer = self._guarded(lambda: self._exchange(update, place))
        if answer.rcode in (dns.rcode.YXDOMAIN, dns.rcode.YXRRSET, dns.rcode.NXRRSET, dns.rcode.NXDOMAIN):
            return False
        if answer.rcode == dns.rcode.NOERROR and not answer.tsig_error:
            if self._signer is None or answer.authentic:
                return True
            raise RecordError("DNS-UNSIGNED", f"{place.server.address} did not sign its consent")
        problem = problem_of(answer, Task(self.name, NOTHING, NOTHING), place)
        raise RecordError(problem.code, problem.words)

    def _exchange(self, update: dns.update.UpdateMessage, place: Place) -> Answer:
        if self._signer is not None:
            self._signer.sign(update, place)
        return exchange(update, place)

    def _guarded(self, step: Callable[[], Result]) -> Result:
        try:
            return step()
        except SignerError as error:
            raise RecordError(error.code, error.message) from None
        except Silent as error:
            raise RecordError("DNS-UNREACHABLE", f"{self.name}: {said(error)}") from None

    def _rows(self, place: Place, kind: str) -> list[str]:
        query = dns.message.make_query(self.name, kind, flags=0)
        answer = dns.query.tcp(query, place.server.address, TIMEOUT, place.server.port)
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            words = f"{place.server.address} answers {dns.rcode.to_text(answer.rcode())} for {self.name}"
            raise RecordError("DNS-FAILED", words)
        owner, wanted = dns.name.from_text(self.name), dns.rdatatype.from_text(kind)
        rows = [row for row in answer.answer if row.name == owner and row.rdtype == wanted]
        return sorted(item.to_text() for row in rows for item in row)

    def _servers(self, place: Place) -> list[tuple[str, Server]]:
        """The zone's name servers, at the port where it takes updates. Raises :class:`RecordError`."""
        query = dns.message.make_query(place.zone, "NS", flags=0)
        answer = self._guarded(lambda: dns.query.tcp(query, place.server.address, TIMEOUT, place.server.port))
        hosts = sorted(
            item.target.to_text(omit_final_dot=True)
            for row in answer.answer
            if row.rdtype == dns.rdatatype.NS
            for item in row
        )
        found = [
            (host, server) for host in hosts for server in self._zones.addresses(host, place.server.port)
        ]
        unknown = [host for host in hosts if host not in {name for name, _ in found}]
        return [*found, *((host, Server("", 0)) for host in unknown)] or [(place.host, place.server)]

    def _read(self, host: str, server: Server, wanted: Addresses) -> ReadBack:
        if not server.address:
            return ReadBack(host, server, frozenset(), "has no address in the DNS")
        try:
            rows = self._rows(Place("", server, host), "A")
        except Silent as error:
            return ReadBack(host, server, frozenset(), f"does not answer: {said(error)}")
        except RecordError as error:
            return ReadBack(host, server, frozenset(), error.message)
        found = frozenset(_addresses(rows))
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
