"""Which zone holds a name, and which server takes its updates (RFC 2136 4.3): by SOA queries."""

import socket
import time
from collections.abc import Sequence
from typing import NamedTuple, Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from manageout.errors import ManageoutError
from manageout.wire.host_port import HostPort
from manageout.words import said

TIMEOUT = 3.0
KEPT = 300.0
"""Seconds that an answer is used."""

_ARPA = dns.name.from_text("arpa.")
_SINKS = [dns.name.from_text(name) for name in ("localhost.", "prisoner.iana.org.", "blackhole.as112.arpa.")]
"""Primaries of zones that take no updates: Unbound's own, AS112's (RFC 7534, 7535)."""


class Server(NamedTuple):
    """Address and port of a DNS server."""

    address: str
    port: int = 53

    @property
    def family(self) -> socket.AddressFamily:
        """Of its address."""
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET

    @classmethod
    def parse(cls, text: str) -> Self:
        """As in the site file: ``10.0.0.10:5353``, ``fd12::1``, ``[fd12::1]:53``. Raises :class:`AddressError`."""
        where = HostPort.parse(text, 53)
        return cls(where.host, where.port)


class Place(NamedTuple):
    """Where updates for a zone go. ``host``: the server's name, for Kerberos."""

    zone: str
    server: Server
    host: str


class Unreachable(ManageoutError):
    """No DNS server answers."""


def _is_empty(zone: dns.name.Name, primary: dns.name.Name) -> bool:
    """One of the reverse zones that servers have by themselves, to keep questions from the Internet (RFC 6303 3)."""
    return zone.is_subdomain(_ARPA) and primary in (zone, *_SINKS)


class Zones:
    """Finds and remembers. ``servers`` take the updates if they are given, else each zone's primary server does."""

    def __init__(self, servers: Sequence[str], resolvers: Sequence[str]) -> None:
        self._servers = [Server.parse(text) for text in servers]
        self._resolvers = [Server.parse(text) for text in resolvers] or self._servers
        self._known: dict[str, tuple[float, Place | None]] = {}

    def place(self, name: str) -> Place | None:
        """Where ``name`` is to be updated; None when no zone of these servers holds it.

        Raises :class:`Unreachable`.
        """
        now = time.monotonic()
        parent = name.partition(".")[2]
        kept = self._known.get(parent)
        if kept is not None and now - kept[0] < KEPT:
            return kept[1]
        found = self._find(name)
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[parent] = (now, found)
        return found

    def addresses(self, host: str, port: int) -> list[Server]:
        """Where ``host`` is, at ``port``. Raises :class:`Unreachable`."""
        name = dns.name.from_text(host)
        found = []
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            rows = [row for row in self._ask(name, kind).answer if row.rdtype == kind]
            found += [Server(item.address, port) for row in rows for item in row]
        return found

    def forget(self) -> None:
        """Ask anew: a server has refused."""
        self._known.clear()

    def _find(self, name: str) -> Place | None:
        """Up the labels until somebody is authoritative."""
        owner = dns.name.from_text(name)
        while len(owner) > 2:
            answer = self._ask(owner, dns.rdatatype.SOA)
            soa = next(
                (s for s in (*answer.answer, *answer.authority) if s.rdtype == dns.rdatatype.SOA), None
            )
            if soa is not None and owner.is_subdomain(soa.name) and len(soa.name) > 2:
                if _is_empty(soa.name, soa[0].mname) or not self._held(soa.name):
                    return None
                return self._primary(soa.name, soa[0].mname)
            owner = owner.parent()
        return None

    def _held(self, zone: dns.name.Name) -> bool:
        """A reverse zone of our servers, not one that they only find on the Internet."""
        if not self._servers or not zone.is_subdomain(_ARPA):
            return True
        answer = self._ask(zone, dns.rdatatype.SOA, self._servers[:1])
        return bool(answer.flags & dns.flags.AA and answer.answer)

    def _primary(self, zone: dns.name.Name, primary: dns.name.Name) -> Place:
        host = primary.to_text(omit_final_dot=True)
        text = zone.to_text(omit_final_dot=True)
        if self._servers:
            return Place(text, self._servers[0], host)
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            for rrset in self._ask(primary, kind).answer:
                if rrset.rdtype == kind:
                    return Place(text, Server(rrset[0].address), host)
        return Place(text, self._resolvers[0], host)

    def _ask(
        self, name: dns.name.Name, kind: dns.rdatatype.RdataType, servers: Sequence[Server] = ()
    ) -> dns.message.Message:
        query = dns.message.make_query(name, kind)
        faults = []
        for server in servers or self._resolvers:
            try:
                answer, _ = dns.query.udp_with_fallback(query, server.address, TIMEOUT, server.port)
            except (dns.exception.DNSException, OSError) as error:
                faults.append(f"{server.address}: {said(error)}")
                continue
            if answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.REFUSED):
                return answer
            faults.append(f"{server.address}: {dns.rcode.to_text(answer.rcode())}")
        raise Unreachable("; ".join(faults), "see that the DNS servers of [names] or [dns64] answer")
