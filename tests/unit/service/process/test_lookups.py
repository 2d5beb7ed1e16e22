"""Questions in the background, asked of a real server on loopback."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv6Address, ip_address

import dns.asyncresolver
import dns.resolver
from dns.rdatatype import RdataType

from manageout.service.process.lookups import NameAnswer, addresses_of, intranet_resolver, names_of
from manageout.site.tables.site import parse
from tests.tools.dns_server import Zone, serving

NAME = "helpdesk.corp.example."
V4, V6 = IPv4Address("10.0.1.30"), IPv6Address("2001:db8::1")
ZONE: Zone = {
    (NAME, "A"): (30, [str(V4)]),
    (NAME, "AAAA"): (300, [str(V6)]),
    ("30.1.0.10.in-addr.arpa.", "PTR"): (300, [NAME]),
}


def test_all_addresses_hold_as_long_as_the_shortest() -> None:
    async def main() -> None:
        async with serving(ZONE) as (_, make):
            assert await addresses_of(make, NAME) == NameAnswer([V4, V6], 30.0)
            assert await addresses_of(make, NAME, [RdataType.AAAA]) == NameAnswer([V6], 300.0)
            assert (await addresses_of(make, "nobody.corp.example.")).addresses == []

    asyncio.run(main())


def test_who_is_not_answered_knows_nothing_and_says_so() -> None:
    async def main() -> None:
        async with serving(ZONE) as (server, make):
            server.silent = True
            assert await addresses_of(make, NAME, lifetime=0.1) == NameAnswer(
                None, 0.0, "no DNS server answers"
            )
            assert await names_of(make, [V4], 0.1) == [""]
            server.silent, server.refusing = False, True
            found = await addresses_of(make, NAME)
            assert found.addresses is None and found.fault and "\n" not in found.fault

    asyncio.run(main())


def test_names_of_addresses_in_their_order() -> None:
    async def main() -> list[str]:
        async with serving(ZONE) as (_, make):
            return await names_of(make, [V6, V4])

    assert asyncio.run(main()) == ["", "helpdesk.corp.example"]


def test_without_a_server_there_are_no_names() -> None:
    def make() -> dns.asyncresolver.Resolver:
        raise dns.resolver.NoResolverConfiguration

    assert asyncio.run(names_of(make, [V4, V6])) == ["", ""]
    assert asyncio.run(addresses_of(make, NAME)).addresses is None


def test_the_intranets_servers_are_those_of_dns64() -> None:
    text = '[site]\nprefix = "fd12:3456:789a::/48"\n[isatap]\nlocators = ["10.0.0.1"]\n'
    site = parse(text + '[dns64]\nupstreams = ["10.0.0.10", "10.0.0.11:5353", "[fd12::1]:53"]\n')
    servers = intranet_resolver(site).nameservers
    assert [(ip_address(each.address), each.port) for each in servers] == [  # type: ignore[union-attr]
        (IPv4Address("10.0.0.10"), 53),
        (IPv4Address("10.0.0.11"), 5353),
        (IPv6Address("fd12::1"), 53),
    ]
