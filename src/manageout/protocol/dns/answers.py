"""DNS answers, made: passed on, synthesised (RFC 6147 5.1.7), of our own (RFC 8880), refused.

Every function returns a whole message for the client's question; the caller puts number and size right. Common
answers are put together on the wire; those with chains, signatures or further sections go through dnspython.
"""

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from manageout.errors import WireError
from manageout.protocol.dns.prefixes import Prefixes, Reverse
from manageout.wire import dns as wire
from manageout.wire.address import rfc6052_embed

OUR_SIZE = 1232
"""Bytes that we take over UDP, and say so (RFC 6891 6.2.5): no fragments on any path of an intranet."""
NO_SOA_TTL = 600
"""RFC 6147 5.1.7: the most without the SOA of the negative answer."""
MAX_CHAIN = 16
MAX_TTL = 0x7FFFFFFF
WELL_KNOWN = wire.to_wire("ipv4only.arpa")
WELL_KNOWN_TTL = 86400
RESOLVER_ARPA = wire.to_wire("resolver.arpa")
ABSENCE_TTL = 600
"""Seconds for names that we say do not exist: a site file may be changed."""
_POINTER = b"\xc0\x0c"
_HEAD = struct.Struct(">HHHHH")
_NOBODY = wire.to_wire("nobody.invalid")
_SOA = wire.to_wire("sns.dns.icann.org") + wire.to_wire("noc.dns.icann.org")
_SOA += struct.pack(">IIIII", 2025010100, 7200, 3600, 604800, 3600)


class Addresses(NamedTuple):
    """The AAAA records of an answer: how many are usable, and whether any is excluded."""

    usable: int
    excluded: int


def flags_of(query: wire.Query, rcode: int = wire.NOERROR, authentic: bool = False) -> int:
    """Our flags: an answer from a resolver to ``query``."""
    flags = wire.QR | wire.RA | query.flags & (wire.RD | wire.CD) | rcode & wire.RCODE
    # RFC 6840 5.8: said to those who ask for it.
    return flags | wire.AD if authentic and (query.dnssec or query.flags & wire.AD) else flags


def _message(
    query: wire.Query,
    flags: int,
    records: bytes = b"",
    answers: int = 0,
    authorities: int = 0,
    additional: int = 0,
    extended: int = 0,
) -> bytes:
    """A whole answer: ``records``, how many in which section, and an OPT record where the client sent one."""
    opt = wire.opt_record(OUR_SIZE, dnssec=query.dnssec, extended=extended) if query.edns else b""
    head = _HEAD.pack(flags, 1, answers, authorities, additional + query.edns)
    return query.id + head + query.question + records + opt


def error(query: wire.Query, rcode: int) -> bytes:
    """An answer without records."""
    return _message(query, flags_of(query, rcode), extended=rcode >> 4)


def truncated(reply: bytes, query: wire.Query) -> bytes:
    """``reply`` for a client that must ask again over TCP."""
    return _message(query, int.from_bytes(reply[2:4], "big") | wire.TC)


def local(
    query: wire.Query,
    answers: Iterable[bytes] = (),
    kind: int = 0,
    ttl: int = 0,
    *,
    rcode: int = wire.NOERROR,
    authority: bytes = b"",
) -> bytes:
    """Our own data: ``answers`` of type ``kind`` at the name asked; ``authority``: one SOA record."""
    body = [_POINTER + struct.pack(">HHIH", kind, query.klass, ttl, len(value)) + value for value in answers]
    records = b"".join(body) + authority
    return _message(query, flags_of(query, rcode), records, len(body), 1 if authority else 0)


def absent(query: wire.Query, zone: bytes, rcode: int) -> bytes:
    """No data at a name, or no such name, by our own word. The SOA is that of an empty zone (RFC 6303 3)."""
    data = zone + _NOBODY + struct.pack(">IIIII", 1, 3600, 1200, 604800, ABSENCE_TTL)
    soa = zone + struct.pack(">HHIH", wire.SOA, wire.IN, ABSENCE_TTL, len(data)) + data
    return local(query, rcode=rcode, authority=soa)


def well_known(query: wire.Query, prefixes: Prefixes, *, excluded: bool) -> bytes:
    """``ipv4only.arpa`` and below (RFC 8880 7): never asked of others, but for DS."""
    soa = WELL_KNOWN + struct.pack(">HHIH", wire.SOA, wire.IN, WELL_KNOWN_TTL, len(_SOA)) + _SOA
    if query.name != WELL_KNOWN:
        return local(query, rcode=wire.NXDOMAIN, authority=soa)
    known = (IPv4Address("192.0.0.170"), IPv4Address("192.0.0.171"))
    kind, values = query.type, list[bytes]()
    if kind in (wire.A, wire.ANY):  # RFC 8482 4.1: one set of those that there are
        kind, values = wire.A, [v4.packed for v4 in known]
    elif kind == wire.AAAA and not excluded:
        values = [rfc6052_embed(each, v4).packed for each in prefixes.all for v4 in known]
    elif kind == wire.SOA:
        values = [_SOA]
    return local(query, values, kind, WELL_KNOWN_TTL, authority=b"" if values else soa)


def forwarded(query: wire.Query, answer: bytes) -> bytes:
    """``answer`` of a server, for the client: everything but the OPT record, which is between neighbours."""
    answers, authorities, additional = struct.unpack_from(">HHH", answer, 6)
    at = wire.HEADER + len(query.question)
    end, extended = at, 0
    kept = additional
    for number, record in enumerate(wire.records(answer, at, answers + authorities + additional)):
        if record.type == wire.OPT:
            if number != answers + authorities + additional - 1:
                return _render(query, _parse(answer), authentic=bool(answer[3] & wire.AD))
            end, extended, kept = record.start, record.ttl >> 24 & 0xFF, additional - 1
            break
        end = record.end
    rcode = answer[3] & wire.RCODE
    flags = flags_of(query, rcode, bool(answer[3] & wire.AD))
    return _message(query, flags, answer[at:end], answers, authorities, kept, extended)


def aaaa_records(answer: bytes, prefixes: Prefixes) -> Addresses:
    """Which AAAA records the answer section has (RFC 6147 5.1.1, 5.1.4)."""
    usable = excluded = 0
    (count,) = struct.unpack_from(">H", answer, 6)
    if count:
        for record in wire.records(answer, wire.skip_name(answer, wire.HEADER) + 4, count):
            if record.type == wire.AAAA and record.klass == wire.IN and record.end - record.data == 16:
                if prefixes.excludes(answer[record.data : record.end]):
                    excluded += 1
                else:
                    usable += 1
    return Addresses(usable, excluded)


def without_excluded(
    query: wire.Query, answer: bytes, prefixes: Prefixes, absence: bytes | None = None
) -> bytes:
    """The answer without its excluded AAAA records (RFC 6147 5.1.4), and so without their signatures.

    ``absence``: an answer that there are no A records either. Its SOA says how long the rest may be kept (RFC 2308 5),
    which is not longer than the excluded records would have been.
    """
    message = _parse(answer)
    kept, most = [], MAX_TTL
    for rrset in message.answer:
        if _is(rrset, dns.rdatatype.AAAA):
            good = [each for each in rrset if not prefixes.excludes(IPv6Address(each.address).packed)]
            most = min(most, rrset.ttl)
            if good:
                kept.append(dns.rrset.from_rdata_list(rrset.name, rrset.ttl, good))
        elif not _signs(rrset, dns.rdatatype.AAAA):
            kept.append(rrset)
    message.answer = kept
    if absence is not None:
        message.authority = _soa(_parse(absence))
        for rrset in message.authority:
            rrset.ttl = min(rrset.ttl, most)
    return _render(query, message, authentic=False)


def _soa(message: dns.message.Message) -> list[dns.rrset.RRset]:
    return [rrset for rrset in message.authority if _is(rrset, dns.rdatatype.SOA)]


def soa_ttl(answer: bytes | None) -> int:
    """How long absence may be believed (RFC 2308 5), or :data:`NO_SOA_TTL` (RFC 6147 5.1.7)."""
    if answer is not None:
        answers, authorities = struct.unpack_from(">HH", answer, 6)
        for record in wire.records(answer, wire.skip_name(answer, wire.HEADER) + 4, answers + authorities):
            if record.type == wire.SOA and record.end - record.data >= 20:
                return min(record.ttl, int.from_bytes(answer[record.end - 4 : record.end], "big"))
    return NO_SOA_TTL


def synthesised(query: wire.Query, negative: bytes | None, answer: bytes, prefixes: Prefixes) -> bytes | None:
    """AAAA records from the A records of ``answer``; ``negative``: what there was to AAAA. None without any."""
    most = soa_ttl(negative)
    authentic = bool(answer[3] & wire.AD and negative is not None and negative[3] & wire.AD)
    # RFC 6147 5.5, (2): only who asked for DNSSEC is told that both were validated.
    authentic = authentic and query.dnssec
    answers, authorities, additional = struct.unpack_from(">HHH", answer, 6)
    at = wire.HEADER + len(query.question)
    values: list[tuple[bytes, int]] = []
    for number, record in enumerate(wire.records(answer, at, answers + authorities + additional)):
        if number < answers:
            direct = record.type == wire.A and record.klass == wire.IN and record.end - record.data == 4
            if not direct or answer[record.start : record.start + 2] != _POINTER:
                return _synthesised_chain(query, answer, prefixes, most, authentic=authentic)
            made = prefixes.synthesise(answer[record.data : record.end])
            values += [(v6, min(record.ttl, most)) for v6 in made]
        elif record.type != wire.OPT:
            return _synthesised_chain(query, answer, prefixes, most, authentic=authentic)
    if not values:
        return None
    body = [_POINTER + struct.pack(">HHIH", wire.AAAA, wire.IN, ttl, 16) + v6 for v6, ttl in values]
    return _message(query, flags_of(query, authentic=authentic), b"".join(body), len(body))


def _synthesised_chain(
    query: wire.Query, answer: bytes, prefixes: Prefixes, most: int, *, authentic: bool
) -> bytes | None:
    """The same with CNAME and DNAME records before the addresses (RFC 6147 5.1.5), or further sections (5.4)."""
    message = _parse(answer)
    kept, made = [], []
    for rrset in message.answer:
        if _is(rrset, dns.rdatatype.A):
            values = [
                dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.AAAA, str(IPv6Address(v6)))
                for each in rrset
                for v6 in prefixes.synthesise(IPv4Address(each.address).packed)
            ]
            if values:
                made.append(dns.rrset.from_rdata_list(rrset.name, min(rrset.ttl, most), values))
        elif not _signs(rrset, dns.rdatatype.A):
            kept.append(rrset)
    if not made:
        return None
    message.answer = [*kept, *made]
    return _render(query, message, authentic=authentic)


def reverse(query: wire.Query, where: Reverse, answer: bytes) -> bytes:
    """A PTR question below a NAT64 prefix: a CNAME to the name of the IPv4 address (RFC 6147 5.3.1, (2)).

    Where that name is itself a CNAME (RFC 2317), ours goes to its end, so that no chain becomes longer. Without PTR
    records the SOA is said to be that of the prefix, as nothing else could stand above the name (RFC 2308 2, 3).
    """
    message = _parse(answer)
    name, ttl = dns.name.from_wire(where.target, 0)[0], MAX_TTL
    chain = {rrset.name: rrset for rrset in message.answer if _is(rrset, dns.rdatatype.CNAME)}
    for _ in range(MAX_CHAIN):
        if name not in chain:
            break
        name, ttl = chain[name][0].target, min(ttl, chain[name].ttl)
    ends = [rrset for rrset in message.answer if rrset.name == name and _about(rrset, dns.rdatatype.PTR)]
    found = [rrset for rrset in ends if rrset.rdtype == dns.rdatatype.PTR]
    if not found:
        message.answer, message.additional = [], []
        message.authority = _soa(message)
        for rrset in message.authority:
            rrset.name = dns.name.from_wire(where.zone, 0)[0]
        return _render(query, message, authentic=False)
    owner = dns.name.from_wire(query.question, 0)[0]
    alias = dns.rrset.from_text(owner, min(ttl, found[0].ttl), "IN", "CNAME", name.to_text())
    message.answer = [alias, *ends]
    return _render(query, message, authentic=False)


def _about(rrset: dns.rrset.RRset, kind: dns.rdatatype.RdataType) -> bool:
    return _is(rrset, kind) or _signs(rrset, kind)


def _is(rrset: dns.rrset.RRset, kind: dns.rdatatype.RdataType) -> bool:
    return rrset.rdtype == kind and rrset.rdclass == dns.rdataclass.IN


def _signs(rrset: dns.rrset.RRset, kind: dns.rdatatype.RdataType) -> bool:
    return rrset.rdtype == dns.rdatatype.RRSIG and rrset.covers == kind


def _parse(answer: bytes) -> dns.message.Message:
    try:
        return dns.message.from_wire(answer, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError) as fault:
        raise WireError(f"DNS message: {fault}") from None


def _render(query: wire.Query, message: dns.message.Message, *, authentic: bool) -> bytes:
    rcode = int(message.rcode())
    owner = dns.name.from_wire(query.question, 0)[0]
    message.question = [
        dns.rrset.RRset(owner, dns.rdataclass.RdataClass(query.klass), dns.rdatatype.RdataType(query.type))
    ]
    flags = wire.DO if query.dnssec else 0
    message.use_edns(0 if query.edns else False, flags, payload=OUR_SIZE)
    message.flags = dns.flags.Flag(flags_of(query, authentic=authentic))
    message.set_rcode(rcode if query.edns else rcode & wire.RCODE)  # type: ignore[arg-type]
    message.request_payload = 65535
    try:
        return query.id + message.to_wire(max_size=65535)[2:]
    except (dns.exception.DNSException, ValueError) as fault:
        raise WireError(f"DNS message: {fault}") from None
