"""The packet filter of every kind of site is loaded by the kernel, and holds what it was given."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator

import pytest

from manageout.linux.host import netns
from manageout.linux.nft import program as nft
from manageout.linux.nft.features import ALL
from manageout.linux.nft.sets import NftSets
from manageout.linux.nft.tables import TIMEOUTS_TABLE
from manageout.service.policy.filter import REFUSALS, set_name, table
from manageout.service.policy.filter_managers import CLIENTS, Contents
from manageout.service.policy.filter_tracking import timeouts
from manageout.site.contradictions import contradictions
from manageout.site.plan import plan
from manageout.site.tables.site import parse
from tests.tools.packet_filter import replace_table
from tests.tools.site_file import GATEWAY, SITE

ROUTER = '[isatap]\nlocators = ["10.0.0.1", "10.0.0.2"]\n'
LEASES = (
    '[translation]\npool = "10.0.8.0/22"\n%s[[translation.eam]]\nipv4 = "10.0.20.1"\nipv6 = "2001:db8::1"\n'
)
DNS64 = (
    '[dns64]\nupstreams = ["10.0.0.10"]\n'
    '[[dns64.prefixes]]\nprefix = "64:ff9b::/96"\n[[dns64.prefixes]]\nprefix = "2001:db8:64::/48"\n'
)
INTRANETS = (
    "",
    "intranet = []\n",
    'intranet = ["0.0.0.0/0", "::/0"]\n',
    'intranet = ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.1/32", "2001:db8::/32", "2001:db8:1::/48"]\n',
)
MANAGERS = """
[[policy.managers]]
name = "a \\"name\\" that; drops { everything }"
from = ["0.0.0.0/0", "10.0.0.5", "::/0", "helpdesk.corp.example"]
to = ["lap*", "*.corp.example"]
services = ["tcp/22", "tcp/20-25", "udp/1-65535", "icmp"]
[[policy.managers]]
from = ["sccm.corp.example"]
services = ["any"]
[[policy.managers]]
from = ["10.0.1.0/24", "fd99::/16"]
services = ["tcp", "tcp/5", "udp"]
"""


@pytest.fixture(autouse=True)
def inside(namespaces: Callable[[str], str]) -> Iterator[None]:
    with netns.inside(namespaces("mo-test-filter")):
        yield


def sites() -> Iterator[str]:
    for role, leases, dns64, intranet, managers, flag in itertools.product(
        (GATEWAY, ROUTER, GATEWAY + ROUTER),
        ("", LEASES % "", LEASES % "masquerade = true\n", LEASES % 'prefix = "2001:db8:64::/56"\n'),
        ("", DNS64),
        INTRANETS,
        ("", MANAGERS),
        ("", 'hairpin = true\ngateway_services = ["tcp/22", "tcp/20-25", "udp", "icmp"]\n'),
    ):
        text = SITE + role + leases + dns64 + "[policy]\n" + intranet + flag + managers
        site = parse(text)
        faults = {fault.path for fault in contradictions(site, plan(site))}
        if not faults - {"policy.managers.0.to"}:
            yield text


def test_every_kind_of_site() -> None:
    chosen = list(sites())
    assert len(chosen) > 200
    for text in random.Random(1).sample(chosen, 60):
        site = parse(text)
        replace_table(nft.TABLE, table(site, plan(site), ["e0", "e1"], towards=["e0"]))
        replace_table(TIMEOUTS_TABLE, timeouts(site, ALL))


def test_many_clients_and_what_was_counted() -> None:
    site = parse(SITE + GATEWAY + LEASES % "" + MANAGERS)
    keys = [number.to_bytes(16, "big") for number in range(1 << 64, (1 << 64) + 20000)]
    others = dict(zip(keys[10000:], keys, strict=False))
    counters = {set_name(reason): number for number, reason in enumerate(REFUSALS, 5)}
    contents = Contents({CLIENTS: keys, "m0_to": keys}, others, counters)
    replace_table(nft.TABLE, table(site, plan(site), (), contents))
    sets = NftSets("manageout")
    assert {element.key for element in sets.counted(CLIENTS)} == set(keys)
    assert {element.key for element in sets.counted("others")} == set(others)
    found = sets.counters()
    assert {name: found[name][0] for name in counters} == counters
    sets.close()
