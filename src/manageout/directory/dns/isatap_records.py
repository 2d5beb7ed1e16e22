"""Take out of the DNS exactly the records that are ISATAP's, and put the same ones back, with their TTLs.

Every removal has what was read at the name as its prerequisite, so that nothing can come in between (RFC 2136 3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import NamedTuple, TypeVar

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.update

from manageout.directory.dns.router_record import RecordError
from manageout.directory.dns.update import Signer, SignerError, exchange, problem_of
from manageout.directory.dns.zones import TIMEOUT, Place, Unreachable, Zones
from manageout.protocol.names.registrar import NOTHING, Task
from manageout.wire.address import embedded_isatap

KINDS = ("A", "AAAA", "TXT", "PTR")
ATTEMPTS = 3
Result = TypeVar("Result")
_CHANGED = (dns.rcode.YXDOMAIN, dns.rcode.YXRRSET, dns.rcode.NXRRSET, dns.rcode.NXDOMAIN)


class Row(NamedTuple):
    """One record at a name."""

    kind: str
    ttl: int
    text: str


class Removable(NamedTuple):
    """What is ISATAP's, and so may be taken out."""

    router_name: str
    """Of this site: lower case, whole."""
    routers: frozenset[IPv4Address]
    mark: str
    """With which our TXT record at the router's name begins."""
    prefixes: tuple[IPv6Network, ...]
    """Of the ISATAP links, former ones too."""

    def covers(self, name: str, row: Row) -> bool:
        """Whether ``row`` at ``name`` may go.

        The routers' addresses at their name and at the bare ``isatap``, our mark, and addresses with an ISATAP
        identifier in a prefix of this site.
        """
        name = name.lower().rstrip(".")
        if row.kind == "A":
            return _is_router_name(name, self.router_name) and IPv4Address(row.text) in self.routers
        if row.kind == "AAAA":
            return self._is_isatap(IPv6Address(row.text))
        if row.kind == "TXT":
            return name == self.router_name and f"{row.text.strip(chr(34))} ".startswith(f"{self.mark} ")
        return False

    def _is_isatap(self, address: IPv6Address) -> bool:
        return embedded_isatap(address.packed) is not None and any(address in each for each in self.prefixes)


def _is_router_name(name: str, router_name: str) -> bool:
    return name == router_name or name.partition(".")[0] == "isatap"


class IsatapRecords:
    """Blocks. Every method raises :class:`RecordError`."""

    def __init__(self, zones: Zones, signer: Signer | None) -> None:
        self._zones, self._signer = zones, signer

    def read(self, name: str) -> tuple[Place | None, list[Row]]:
        """Where the name is updated (None: in no zone of these servers), and what its primary server has there."""

        def step() -> tuple[Place | None, list[Row]]:
            place = self._zones.place(name)
            return place, [row for kind in KINDS for row in _rows(place, name, kind)] if place else []

        return self._guarded(name, step)

    def remove(self, name: str, place: Place, before: Iterable[Row], rows: Iterable[Row]) -> bool:
        """Take out ``rows``, if the name still has what it had ``before``; False when it has not."""
        before, rows = list(before), list(rows)
        update, owner = dns.update.UpdateMessage(place.zone), _relative(name, place)
        for kind in dict.fromkeys(row.kind for row in rows):
            update.present(owner, kind, *(row.text for row in before if row.kind == kind))
        for row in rows:
            update.delete(owner, row.kind, row.text)
        return self._send(name, update, place)

    def restore(self, name: str, place: Place, rows: Iterable[Row]) -> None:
        """Put ``rows`` there; what is there already stays."""
        update, owner = dns.update.UpdateMessage(place.zone), _relative(name, place)
        for row in rows:
            update.add(owner, row.ttl, row.kind, row.text)
        self._send(name, update, place)

    def _send(self, name: str, update: dns.update.UpdateMessage, place: Place) -> bool:
        def step() -> bool:
            if self._signer is not None:
                self._signer.sign(update, place)
            answer = exchange(update, place)
            if answer.rcode in _CHANGED:
                return False
            if answer.rcode != dns.rcode.NOERROR or answer.tsig_error:
                problem = problem_of(answer, Task(name, NOTHING, NOTHING), place)
                raise RecordError(problem.code, problem.words)
            if self._signer is not None and not answer.authentic:
                raise RecordError("DNS-UNSIGNED", f"{place.server.address} did not sign its consent")
            return True

        return self._guarded(name, step)

    def _guarded(self, name: str, step: Callable[[], Result]) -> Result:
        try:
            return step()
        except SignerError as error:
            raise RecordError(error.code, error.message) from None
        except Unreachable as error:
            raise RecordError("DNS-UNREACHABLE", error.message) from None
        except (dns.exception.DNSException, OSError, EOFError) as error:
            raise RecordError("DNS-UNREACHABLE", f"{name}: {error or type(error).__name__}") from None


def pointer(address: str) -> str:
    """The name of which the PTR record of ``address`` is."""
    return IPv6Address(address).reverse_pointer


def _rows(place: Place, name: str, kind: str) -> Iterator[Row]:
    query = dns.message.make_query(name, kind, flags=0)
    answer = dns.query.tcp(query, place.server.address, TIMEOUT, place.server.port)
    if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        words = f"{place.server.address} answers {dns.rcode.to_text(answer.rcode())} for {name}"
        raise RecordError("DNS-FAILED", words)
    owner, wanted = dns.name.from_text(name), dns.rdatatype.from_text(kind)
    for rrset in answer.answer:
        if rrset.name == owner and rrset.rdtype == wanted:
            yield from (Row(kind, rrset.ttl, item.to_text()) for item in rrset)


def _relative(name: str, place: Place) -> dns.name.Name:
    return dns.name.from_text(name).relativize(dns.name.from_text(place.zone))
