"""A forwarding DNS stub as a machine: each question goes to the site's servers or to the local ones, by its name.

A client's message is forwarded as it came, but for its number. A silent or failing server is followed by the next one;
when none is left, the answer is SERVFAIL.

A question about the site is never asked of a local server, not even when the site's do not answer: whoever
runs the network here must not be able to play the intranet.

There is no cache: the programs on this machine and the gateway have theirs.
"""

import math
from collections.abc import Sequence

from manageout.protocol.dns import answers
from manageout.protocol.dns.forwarder import Exchange, Forwarder, Patience, Reply, Response
from manageout.protocol.host.name_policy import Rules
from manageout.wire import dns

QUERY_TIMEOUT = 2.0
"""Seconds that a server gets: the way to it may be long."""
MAX_TRIES = 4
"""How many servers are asked for one question; one server alone is asked twice."""
MAX_PENDING = 512
"""Questions at a time; more are refused."""
_FAILURES = (dns.SERVFAIL, dns.NOTIMP, dns.REFUSED)


class PassedOn(Exchange):
    """A client's message, of which only the number is ours."""

    __slots__ = ("client", "inside", "message", "query", "tcp_only")

    def __init__(
        self, client: object, query: dns.Query, message: bytes, servers: list[str], *, inside: bool, tcp: bool
    ) -> None:
        super().__init__(servers, math.inf)
        self.client, self.query, self.message = client, query, message
        self.inside = inside
        self.tcp = self.tcp_only = tcp

    def body(self) -> bytes:
        """See :class:`Exchange`."""
        return self.message[2:]

    def judge(self, message: bytes) -> Response:
        """An answer is one to this very question (RFC 5452 9.1), compared as sent: the case of letters, too."""
        end = dns.HEADER + len(self.query.question)
        if len(message) < dns.HEADER or message[:2] != self.id or not message[2] & dns.QR >> 8:
            return Response.FOREIGN
        rcode = message[3] & dns.RCODE
        # Servers that did not get so far as to read the question send none.
        unread = message[4:6] == b"\0\0" and rcode in (*_FAILURES, dns.FORMERR)
        if not unread and (message[4:6] != b"\0\1" or message[dns.HEADER : end] != self.query.question):
            return Response.FOREIGN
        if rcode in _FAILURES:
            self.failure = message
            return Response.FAILED
        return Response.GOOD


class DnsStub(Forwarder[PassedOn]):
    """``random``: 0 <= x < 1. Servers and rules may be replaced at any time."""

    patience = Patience(QUERY_TIMEOUT, QUERY_TIMEOUT, QUERY_TIMEOUT)
    max_tries = MAX_TRIES
    rules = Rules()
    site_servers: Sequence[str] = ()
    local_servers: Sequence[str] = ()

    def receive(self, message: bytes, client: object, now: float, *, tcp: bool = False) -> None:
        """A question of ``client``, whatever that is to the driver; it came over TCP or UDP."""
        query = self._read(message, client)
        if query is None:
            return
        if len(self._exchanges) >= MAX_PENDING:
            self.counts["refused"] += 1
            self._out.append(Reply(client, answers.error(query, dns.SERVFAIL)))
            return
        inside = self.rules.covers(_text(query.name))
        self.counts["site" if inside else "local"] += 1
        servers = self._preferred(self.site_servers if inside else self.local_servers, now)
        rest = servers * 2 if len(servers) == 1 else servers
        self._next(PassedOn(client, query, message, rest, inside=inside, tcp=tcp), now)

    def _ended(self, exchange: PassedOn, answer: bytes | None, now: float) -> None:
        query = exchange.query
        reply = query.id + answer[2:] if answer else answers.error(query, dns.SERVFAIL)
        self._out.append(Reply(exchange.client, reply))

    def gone(self, client: object) -> None:
        """A client over TCP has left."""
        for number in [number for number, each in self._exchanges.items() if each.client == client]:
            self._forget(number)


def _text(name: bytes) -> str:
    """A name in wire form as the rules have it; a dot within a label must not look like one between two."""
    return ".".join(label.replace(b".", b"\\046").decode("latin-1") for label in dns.labels_of(name))
