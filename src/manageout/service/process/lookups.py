"""Questions to the DNS in the background: of which server, and one line for people when nobody answers."""

import asyncio
import math
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver
import dns.reversename
from dns.rdatatype import RdataType

from manageout.site.tables.site import Site
from manageout.wire.host_port import HostPort
from manageout.words import said

AT_ONCE = 8
"""Questions under way."""
BOTH = (RdataType.A, RdataType.AAAA)
_LIFETIME = 5.0

Address = IPv4Address | IPv6Address
MakeResolver = Callable[[], dns.asyncresolver.Resolver]
"""A new one each time follows changes of resolv.conf. Raises :class:`dns.resolver.NoResolverConfiguration`."""


class NameAnswer(NamedTuple):
    """What the DNS says of a name."""

    addresses: list[Address] | None
    """None when nobody could say."""
    ttl: float
    """Seconds for which all of them hold."""
    fault: str = ""
    """Why nobody could."""


def intranet_resolver(site: Site, lifetime: float = _LIFETIME) -> dns.asyncresolver.Resolver:
    """The intranet's DNS servers: those of DNS64, else this machine's own.

    Raises :class:`dns.resolver.NoResolverConfiguration`.
    """
    upstreams = site.dns64.upstreams if site.dns64 is not None else ()
    resolver = dns.asyncresolver.Resolver(configure=not upstreams)
    if upstreams:
        resolver.nameservers = [_nameserver(each) for each in upstreams]
    resolver.lifetime = lifetime
    return resolver


def _nameserver(server: str) -> dns.nameserver.Do53Nameserver:
    """Of ``ADDRESS``, ``ADDRESS:PORT`` or ``[ADDRESS]:PORT``."""
    where = HostPort.parse(server, 53)
    return dns.nameserver.Do53Nameserver(where.host, where.port)


async def addresses_of(
    make: MakeResolver,
    name: str,
    kinds: Sequence[RdataType] = BOTH,
    *,
    search: bool = False,
    lifetime: float | None = None,
) -> NameAnswer:
    """The addresses of ``name``; none when there is no such name. ``search``: also in this machine's domains."""
    found: list[Address] = []
    ttl = math.inf
    try:
        resolver = make()
        for kind in kinds:
            try:
                answer = await resolver.resolve(name, kind, search=search, lifetime=lifetime)
            except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
                continue
            ttl = min(ttl, float(answer.chaining_result.minimum_ttl))
            found += [ip_address(record.address) for record in answer]
    except (dns.exception.DNSException, OSError) as error:
        silent = isinstance(error, dns.exception.Timeout)
        return NameAnswer(None, 0.0, "no DNS server answers" if silent else said(error))
    return NameAnswer(found, ttl)


async def names_of(
    make: MakeResolver, addresses: Sequence[Address], lifetime: float | None = None
) -> list[str]:
    """The name of each, or nothing: a resolver that does not answer only means that there are no names.

    All are asked at once: give at most :data:`AT_ONCE`.
    """
    try:
        resolver = make()
    except dns.exception.DNSException:  # no /etc/resolv.conf
        return [""] * len(addresses)

    async def name_of(address: Address) -> str:
        try:
            question = dns.reversename.from_address(str(address))
            answer = await resolver.resolve(question, RdataType.PTR, lifetime=lifetime)
            return str(answer[0].target.to_text(omit_final_dot=True))
        except (dns.exception.DNSException, OSError):
            return ""

    return await asyncio.gather(*map(name_of, addresses))
