"""Cases that are judged once, against every connection judged by itself with all that the kernel holds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest

from manageout.linux.host import netns
from manageout.linux.netlink.conntrack import Ends
from manageout.linux.nft import program as nft
from manageout.linux.nft.evaluate import Ruleset
from manageout.service.policy.filter import table
from manageout.service.policy.filter_managers import Contents
from manageout.service.policy.verdicts import Verdicts, packet
from manageout.site.plan import IPHTTPS_DEVICE, ISATAP_DEVICE, XLAT_DEVICE, plan
from manageout.site.tables.site import Site, parse
from manageout.wire.address import rfc6052_embed
from tests.tools.packet_filter import replace_table

SITE = """
[site]
prefix = "fd12:3456:789a::/48"
[isatap]
locators = ["10.0.0.1"]
[gateway]
certificate = "c"
key = "k"
client_ca = "a"
[translation]
pool = "10.0.0.128/26"
[policy]
intranet = ["10.0.0.0/16", "fd99::/64", "fd99:0:0:1::/64"]
gateway_services = ["tcp/22"]
[[policy.managers]]
from = ["10.0.0.40", "fd99::40/128"]
to = ["lap*"]
services = ["tcp/22", "tcp/80-90", "icmp"]
[[policy.managers]]
from = ["10.0.0.20"]
services = ["udp"]
[[policy.managers]]
from = ["app.corp.example"]
to = ["tab*"]
services = ["any"]
"""
LAPTOP, TABLET, NOBODY = (IPv6Address(f"fd12:3456:789a:1000::{last}").packed for last in ("10", "11", "12"))
NAMED = IPv6Address("fd99::77").packed
HELD = {"clients": {LAPTOP, TABLET}, "m0_to": {LAPTOP}, "m2_to": {TABLET}, "m2_names": {NAMED}}


def holds(name: str, address: bytes) -> bool:
    return address in HELD.get(name, ())


@pytest.fixture
def site(namespaces: Callable[[str], str]) -> Iterator[Site]:
    with netns.inside(namespaces("mo-test-verdicts")):
        made = parse(SITE)
        replace_table(nft.TABLE, table(made, plan(made), (), Contents(HELD)))
        yield made


def addresses(site: Site) -> list[bytes]:
    """Of every kind, and beside the edges of every kind."""
    names = plan(site)
    machines = ["10.0.0.40", "10.0.0.20", "10.0.0.41", "10.0.0.130", "10.9.0.1", "198.51.100.1"]
    found = [LAPTOP, TABLET, NOBODY, NAMED]
    found += [rfc6052_embed(names.nat64, IPv4Address(each)).packed for each in machines]
    found += [
        IPv6Address(int(names.isatap_prefix[0]) + (u << 32 | 0x5EFE << 32 | int(IPv4Address(each)))).packed
        for u in (0, 0x02000000)
        for each in machines
    ]
    found += [IPv6Address(each).packed for each in ("fd99::40", "fd99::41", "fd99:0:0:2::1", "2001:db8::1")]
    for network in (names.client_prefix, names.nat64, names.isatap_prefix, IPv6Network("fd99::/63")):
        first, last = int(network.network_address), int(network.broadcast_address)
        found += [value.to_bytes(16, "big") for value in (first - 1, first + 2, last, last + 1)]
    return found


def test_a_case_is_judged_as_each_of_its_connections(site: Site) -> None:
    objects, _ = nft.ruleset()
    every = Ruleset(objects)
    verdicts = Verdicts(nft.table_objects(nft.TABLE), site, plan(site), holds)
    seed = random.Random(7)
    kinds = addresses(site)
    results = []
    for _ in range(4000):
        source, destination = seed.choice(kinds), seed.choice(kinds)
        protocol = seed.choice([6, 6, 17, 58, 41, 47])
        port = seed.choice([1, 21, 22, 23, 79, 80, 85, 90, 91, 53, 65535]) if protocol in (6, 17) else 0
        ends = Ends(protocol, source, destination, port, source, destination)
        iif, oif = (verdicts.device(each) for each in (source, destination))
        alone = bool(iif or oif) and every.judge("forward", packet(ends, iif, oif)).result == "drop"
        assert verdicts.refused(ends) is alone, ends
        results.append(alone)
    assert 400 < sum(results) < 3600, "both are frequent"


def test_sides_are_told_apart(site: Site) -> None:
    names = plan(site)
    verdicts = Verdicts(nft.table_objects(nft.TABLE), site, names, holds)
    gateway = names.gateway_address.packed
    devices = [verdicts.device(each) for each in (LAPTOP, names.nat64[9].packed, gateway)]
    assert devices == [IPHTTPS_DEVICE, XLAT_DEVICE, ""]
    assert verdicts.device(names.isatap_prefix[77].packed) == ISATAP_DEVICE
    assert not verdicts.refused(Ends(6, LAPTOP, gateway, 9999, LAPTOP, gateway)), (
        "its own chain judges that at each packet"
    )


def test_many_connections_are_few_cases(site: Site) -> None:
    verdicts = Verdicts(nft.table_objects(nft.TABLE), site, plan(site), holds)
    seed = random.Random(8)
    for _ in range(20_000):
        there = rfc6052_embed(plan(site).nat64, IPv4Address(seed.getrandbits(32))).packed
        verdicts.refused(Ends(6, LAPTOP, there, seed.randrange(65536), LAPTOP, there))
    assert len(verdicts) < 100
