"""The addresses in a zone: by zone transfer, from a zone file, from a list. Raises :class:`ManageoutError` only."""

import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple

import dns.exception
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.xfr
import dns.zone

from manageout.directory.dns.tsig import KeySigner
from manageout.directory.dns.zones import Server
from manageout.errors import ManageoutError
from manageout.windows.text import decoded
from manageout.wire.address import written
from manageout.words import said, texts

SECONDS = 60.0
"""For a whole zone."""
MAX_BYTES = 64 << 20
MAX_RECORDS = 1_000_000
_KINDS = {dns.rdatatype.A: "A", dns.rdatatype.AAAA: "AAAA", dns.rdatatype.CNAME: "CNAME"}
_AGE = re.compile(r"\[\s*(AGE|Aging)\s*:\s*\d+\s*\]", re.IGNORECASE)
"""What Microsoft's export puts before the TTL of a record that somebody registered."""


class ZoneRecord(NamedTuple):
    """One record; names without the last dot, in lower case."""

    name: str
    kind: str
    """A, AAAA or CNAME."""
    value: str


def transferred(zone: str, server: str, key: KeySigner | None = None) -> Iterator[ZoneRecord]:
    """By AXFR, message for message."""
    try:
        where = Server.parse(server)
        ring = key.keyring if key else None
        asked = partial(dns.query.xfr, where.address, zone, port=where.port, keyring=ring)
        for message in asked(timeout=10.0, relativize=False, lifetime=SECONDS):
            for rrset in message.answer:
                if rrset.rdtype in _KINDS:
                    name = _text(rrset.name)
                    yield from (ZoneRecord(name, _KINDS[rrset.rdtype], _value(item)) for item in rrset)
    except dns.xfr.TransferError as error:
        raise _refusal(zone, server, where, key, error.rcode) from None
    except dns.tsig.PeerError as error:
        raise _error("key-not-taken", zone=zone, server=server, why=said(error)) from None
    except (dns.exception.DNSException, OSError, ValueError, EOFError) as error:
        raise _error("not-read", zone=zone, server=server, why=said(error)) from None


def _refusal(zone: str, server: str, where: Server, key: KeySigner | None, rcode: int) -> ManageoutError:
    code = dns.rcode.to_text(dns.rcode.Rcode.make(rcode))
    if rcode == dns.rcode.NOTAUTH:
        return _error("not-held", zone=zone, server=server, code=code)
    whom = key.element if key else _own_address(where)
    way = "" if key else " (or a key, and --tsig KEYFILE)"
    return _error("not-given", zone=zone, server=server, code=code, whom=whom, way=way)


def _error(name: str, **words: object) -> ManageoutError:
    return ManageoutError(*texts(__package__, name, **words))


def _own_address(server: Server) -> str:
    """The address by which ``server`` knows this machine. Nothing is sent."""
    with suppress(OSError), socket.socket(server.family, socket.SOCK_DGRAM) as asking:
        asking.connect((server.address, server.port))
        return str(asking.getsockname()[0])
    return "ADDRESS"


def from_file(path: Path, zone: str) -> Iterator[ZoneRecord]:
    """A zone file (BIND's, or ``Export-DnsServerZone``), or a list: names and addresses in any order, CSV too."""
    text = _read(path)
    if re.search(r"(?im)^[^;]*\sSOA\s", text):
        yield from _zone_file(path, text, zone)
    else:
        yield from listed(text, zone)


def listed(text: str, zone: str) -> Iterator[ZoneRecord]:
    """A line: an address, and before it the name that has it, if it has one."""
    for line in text.splitlines():
        words = [word for word in re.split(r"[\s,;\"']+", line) if word]
        addresses = [address for word in words if (address := _address(word)) is not None]
        others = [word for word in words if _address(word) is None]
        names = [word for word in others if re.fullmatch(r"[\w.-]*[a-zA-Z_][\w.-]*", word)]
        name = names[0].lower().rstrip(".") if names else ""
        if name and "." not in name and zone:
            name = f"{name}.{zone}"
        for address in addresses:
            yield ZoneRecord(name, "A" if isinstance(address, IPv4Address) else "AAAA", written(address))


def _zone_file(path: Path, text: str, zone: str) -> Iterator[ZoneRecord]:
    try:
        found = dns.zone.from_text(
            _AGE.sub("", text), zone or None, relativize=False, check_origin=False, filename=path.name
        )
    except (dns.exception.DNSException, ValueError, OSError, RecursionError) as error:
        raise _error("no-zone-file", path=path, why=said(error)) from None
    for name, _, item in found.iterate_rdatas():
        if item.rdtype in _KINDS:
            yield ZoneRecord(_text(name), _KINDS[item.rdtype], _value(item))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ManageoutError(f"{path}: {error.strerror}", "check the name, and who may read it") from None
    if len(data) > MAX_BYTES:
        raise _error("too-large", path=path, most=MAX_BYTES >> 20)
    return decoded(data)


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _value(item: object) -> str:
    return str(item).rstrip(".").lower()


def _address(word: str) -> IPv4Address | IPv6Address | None:
    with suppress(ValueError):
        return ip_address(word)
    return None


def bounded(records: Iterable[ZoneRecord]) -> Iterator[ZoneRecord]:
    """At most :data:`MAX_RECORDS`. Raises :class:`ManageoutError` beyond."""
    for number, record in enumerate(records):
        if number >= MAX_RECORDS:
            raise ManageoutError(f"more than {MAX_RECORDS} records", "give fewer zones at a time")
        yield record
