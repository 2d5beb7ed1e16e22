"""The NAT64 prefixes of a network, found out by a client (RFC 7050, RFC 8781).

A DNS64 answers for ``ipv4only.arpa``, which has two well-known IPv4 addresses, with IPv6 addresses made of them:
where they lie tells the prefix and its length. A prefix that a router advertises goes first: it needs no question,
and its lifetime is told (RFC 8781 5).
"""

import math
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import NamedTuple

from manageout.errors import AddressError, WireError
from manageout.wire import dns
from manageout.wire.address import rfc6052_embed, rfc6052_extract

NAME = "ipv4only.arpa"
WELL_KNOWN = (IPv4Address("192.0.0.170"), IPv4Address("192.0.0.171"))
LENGTHS = (96, 64, 56, 48, 40, 32)
REFRESH_EARLY = 10.0
"""Seconds before the end of the TTL at which to ask again (RFC 7050 3)."""
FIRST_RETRY, LAST_RETRY = 1.0, 60.0
ANSWER_TIMEOUT = 3.0
NO_ANSWER_TTL = 60.0
"""When a negative answer does not say how long it holds."""
MAX_TTL = 86400
MAX_PREFIXES = 8


def query(number: int) -> bytes:
    """A question for the AAAA records of ``ipv4only.arpa`` (RFC 7050 3: CD=0)."""
    return dns.build_query(number, dns.to_wire(NAME), dns.AAAA)


def prefixes_of(addresses: Iterable[IPv6Address]) -> list[IPv6Network]:
    """The prefixes that AAAA records of ``ipv4only.arpa`` show, in their order (RFC 7050 3).

    Where one of the well-known addresses lies at two places of an address, the other one decides, for which
    the prefix must be the same.
    """
    addresses = list(addresses)
    places = [_places(address) for address in addresses]
    found = dict.fromkeys(each[0] for each in places if len(each) == 1)
    for several in (each for each in places if len(each) > 1):
        if not any(place in found for place in several):
            # Every address of a prefix must fit: only then is it the one.
            fitting = [place for place in several if _complete(place, addresses)]
            if len(fitting) == 1:
                found[fitting[0]] = None
    return list(found)[:MAX_PREFIXES]


def _places(address: IPv6Address) -> list[IPv6Network]:
    """Every prefix in which ``address`` holds a well-known address, suffix and u octet zero."""
    places = []
    for length in LENGTHS:
        network = IPv6Network((address, length), strict=False)
        try:
            inside = rfc6052_extract(network, address)
            if inside in WELL_KNOWN and inside and rfc6052_embed(network, inside) == address:
                places.append(network)
        except AddressError:  # bits 64 to 71 of a /96 are not zero
            continue
    return places


def _complete(network: IPv6Network, addresses: list[IPv6Address]) -> bool:
    return all(rfc6052_embed(network, known) in addresses for known in WELL_KNOWN)


class Answer(NamedTuple):
    """What an answer says: prefixes, and seconds for which it holds."""

    prefixes: tuple[IPv6Network, ...]
    ttl: float


def read(message: bytes, asked: bytes) -> Answer | None:
    """The answer to ``asked``; None when it is none (another question, an error of the server, nonsense)."""
    if dns.rcode_of_answer(message, asked) not in (dns.NOERROR, dns.NXDOMAIN):
        return None
    try:
        addresses, lives, negative = _records(message, len(asked))
    except WireError:
        return None
    prefixes = prefixes_of(addresses)
    if prefixes:
        return Answer(tuple(prefixes), min(lives))
    return Answer((), negative)


def _records(message: bytes, at: int) -> tuple[list[IPv6Address], list[int], float]:
    """AAAA records with their TTLs, and how long the absence of any holds. Raises :class:`WireError`."""
    count = int.from_bytes(message[6:8], "big") + int.from_bytes(message[8:10], "big")
    addresses: list[IPv6Address] = []
    lives: list[int] = []
    negative = NO_ANSWER_TTL
    for record in dns.records(message, at, count):
        data = message[record.data : record.end]
        ttl = min(MAX_TTL, record.ttl)
        if (record.type, record.klass, len(data)) == (dns.AAAA, dns.IN, 16):
            addresses.append(IPv6Address(data))
            lives.append(ttl)
        elif (record.type, record.klass) == (dns.SOA, dns.IN) and len(data) > 20:
            negative = float(min(ttl, int.from_bytes(data[-4:], "big")))  # RFC 2308 5
    return addresses, lives, negative


class Pref64Discovery:
    """The prefixes of one link, kept fresh: ``ask_at`` says when the driver should ask, and then tells the result."""

    def __init__(self) -> None:
        self.advertised: tuple[IPv6Network, ...] = ()
        """From Router Advertisements, which has the say while there is any."""
        self.answered: tuple[IPv6Network, ...] = ()
        self.ask_at = math.inf
        self._failures = 0

    @property
    def prefixes(self) -> tuple[IPv6Network, ...]:
        """The prefixes to use; the first one for literals."""
        return self.advertised or self.answered

    @property
    def origin(self) -> str:
        """Where they come from, for people; empty without any."""
        if self.advertised:
            return "router advertisement"
        return NAME if self.answered else ""

    def start(self, now: float) -> None:
        """There is a DNS server to ask, or another than before."""
        self._failures = 0
        self.ask_at = now

    def stop(self) -> None:
        """There is none."""
        self.answered = ()
        self.ask_at = math.inf

    def note(self, answer: Answer | None, now: float) -> None:
        """The result of a question: None when nobody answered well, then what was known holds on."""
        if answer is None:
            wait = min(LAST_RETRY, FIRST_RETRY * 2**self._failures)
            self._failures = min(self._failures + 1, 16)
        else:
            self._failures = 0
            self.answered = answer.prefixes
            wait = max(FIRST_RETRY, answer.ttl - REFRESH_EARLY if answer.prefixes else answer.ttl)
        self.ask_at = now + wait
