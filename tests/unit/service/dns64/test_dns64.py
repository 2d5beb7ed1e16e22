"""Who counts as an excluded client of the DNS64."""

from __future__ import annotations

from ipaddress import IPv6Address

from manageout.service.dns64.dns64 import Dns64Service
from manageout.service.process.presence import Client, Presence
from manageout.site.plan import plan
from manageout.site.tables.site import parse

SITE = """
[site]
prefix = "fd12:3456:789a::/48"
[gateway]
certificate = "c"
key = "k"
client_ca = "ca"
[dns64]
upstreams = ["10.0.0.10"]
exclude_clients = ["tablet*"]
"""
ADDRESS = "fd12:3456:789a:1000::10"


def client(identity: str, *others: str) -> Client:
    packed = tuple(IPv6Address(other).packed for other in others)
    return Client(identity, IPv6Address(ADDRESS).packed, packed, None, "192.0.2.1", "ip-https", 0.0)


def test_exclusion_follows_the_client_and_not_the_address() -> None:
    site = parse(SITE)
    connected = Presence()
    service = Dns64Service(site, plan(site), connected)
    connected.watch(service)
    other = "fd12:3456:789a:1000::11"
    connected.present(client("tablet", other))
    assert service._excluded == {ADDRESS, other}
    connected.present(client("tablet"))
    assert service._excluded == {ADDRESS}
    # Another machine has the address before the first is told to be gone.
    connected.present(client("laptop"))
    assert service._excluded == set()
    connected.absent("tablet")
    assert service._identity(ADDRESS) == "laptop"
    connected.absent("laptop")
    assert service._identity(ADDRESS) is None
