"""Records as a zone's primary server has them, and updates on condition that they still are so (RFC 2136 3.2).

Every update has what was read at the name as its prerequisite, so that nothing can come in between.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.update

from manageout.directory.dns.update import Signer, SignerError, exchange, problem_of, relative
from manageout.directory.dns.zones import TIMEOUT, Place, Unreachable, Zones
from manageout.errors import ManageoutError
from manageout.words import said

Result = TypeVar("Result")
_OTHERWISE = (dns.rcode.YXDOMAIN, dns.rcode.YXRRSET, dns.rcode.NXRRSET, dns.rcode.NXDOMAIN)


class RecordError(ManageoutError):
    """A name was not read or changed. ``code``: as in the findings of ``[names]``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Silent(RecordError):
    """The server does not answer; ``reason``: why, without the name."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__("DNS-UNREACHABLE", f"{name}: {reason}")
        self.reason = reason


class DnsRow(NamedTuple):
    """One record at a name."""

    kind: str
    ttl: int
    text: str


class ConditionalUpdates:
    """Blocks. Every method raises :class:`RecordError` only."""

    def __init__(self, zones: Zones, signer: Signer | None) -> None:
        self.zones, self._signer = zones, signer

    def place(self, name: str) -> Place | None:
        """Where ``name`` is updated; None: in no zone of these servers."""
        return self.guarded(name, lambda: self.zones.place(name))

    def rows(self, name: str, kind: str, place: Place) -> list[DnsRow]:
        """What the server of ``place`` has at ``name`` of this kind, in the order of the texts."""
        return self.guarded(name, lambda: sorted(_rows(name, kind, place), key=lambda row: row.text))

    def update(self, name: str, place: Place) -> tuple[dns.update.UpdateMessage, dns.name.Name]:
        """An update of the zone, still empty, and the name in it."""
        return dns.update.UpdateMessage(place.zone), relative(name, place)

    def send(self, name: str, update: dns.update.UpdateMessage, place: Place) -> bool:
        """Whether it is done; false when the name is not as its prerequisites say."""
        answer = self.guarded(name, lambda: exchange(update, place, self._signer))
        if answer.rcode in _OTHERWISE:
            return False
        if answer.rcode != dns.rcode.NOERROR or answer.tsig_error:
            problem = problem_of(answer, name, place)
            raise RecordError(problem.code, problem.words)
        if self._signer is not None and not answer.authentic:
            raise RecordError("DNS-UNSIGNED", f"{place.server.address} did not sign its consent")
        return True

    def guarded(self, name: str, step: Callable[[], Result]) -> Result:
        """``step`` about ``name``, with whatever sockets, dnspython and signers raise as a :class:`RecordError`."""
        try:
            return step()
        except SignerError as error:
            raise RecordError(error.code, error.message) from None
        except Unreachable as error:
            raise RecordError("DNS-UNREACHABLE", error.message) from None
        except (dns.exception.DNSException, OSError, EOFError) as error:
            raise Silent(name, said(error)) from None


def _rows(name: str, kind: str, place: Place) -> Iterator[DnsRow]:
    query = dns.message.make_query(name, kind, flags=0)
    answer = dns.query.tcp(query, place.server.address, TIMEOUT, place.server.port)
    if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        words = f"{place.server.address} answers {dns.rcode.to_text(answer.rcode())} for {name}"
        raise RecordError("DNS-FAILED", words)
    owner, wanted = dns.name.from_text(name), dns.rdatatype.from_text(kind)
    for rrset in answer.answer:
        if rrset.name == owner and rrset.rdtype == wanted:
            yield from (DnsRow(kind, rrset.ttl, item.to_text()) for item in rrset)
