"""Who counts as an excluded client of the DNS64, and what it says of servers that are silent."""

from __future__ import annotations

import time
from ipaddress import IPv6Address

import pytest

from manageout.protocol.dns.forwarder import Ask
from manageout.service.dns64.dns64 import Dns64Service
from manageout.service.process.presence import Client, Presence
from manageout.site.plan import plan
from manageout.site.tables.site import parse
from manageout.wire import dns

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
    assert service._excluded == {IPv6Address(ADDRESS).packed, IPv6Address(other).packed}
    connected.present(client("tablet"))
    assert service._excluded == {IPv6Address(ADDRESS).packed}
    # Another machine has the address before the first is told to be gone.
    connected.present(client("laptop"))
    assert service._excluded == set()
    connected.absent("tablet")
    assert service._identity(ADDRESS) == "laptop"
    connected.absent("laptop")
    assert service._identity(ADDRESS) is None


@pytest.mark.parametrize(
    ("server", "asked"),
    [
        ("10.0.0.10", "dig @10.0.0.10 -p 53 ."),
        ("10.0.0.10:5353", "dig @10.0.0.10 -p 5353 ."),
        ("fd12::53", "dig @fd12::53 -p 53 ."),
        ("[fd12::53]:5353", "dig @fd12::53 -p 5353 ."),
    ],
)
def test_silent_servers_are_told_of_with_what_to_try(server: str, asked: str) -> None:
    site = parse(SITE.replace("10.0.0.10", server))
    service = Dns64Service(site, plan(site), Presence())
    assert not service.findings()
    query = b"\0\7\1\0\0\1" + bytes(6) + dns.to_wire("host.example") + b"\0\x01\0\x01"
    now = time.monotonic()
    service.machine.receive(query, ("fd12::1", 1000, 0, 0), now)
    (ask,) = service.machine.transmit()
    assert isinstance(ask, Ask)
    service.machine.failed(ask.number, now)
    (finding,) = service.findings()
    assert finding.code == "DNS-SERVERS-SILENT" and server in finding.what and f"`{asked}`" in finding.remedy
