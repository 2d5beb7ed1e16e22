"""The kernel's connections in the words of the site."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from manageout.linux.netlink.conntrack import ConntrackEntry
from manageout.service.policy.sessions import Mechanism, Sessions, machine
from manageout.site.plan import plan
from manageout.site.tables.site import parse

PREFIX = "fd12:3456:789a"
CLIENT, OTHER = IPv6Address(f"{PREFIX}:1000::2").packed, IPv6Address(f"{PREFIX}:1000::3").packed
APP = IPv6Address(f"{PREFIX}:7777::a00:14").packed
HELPDESK = IPv6Address(f"{PREFIX}:1:0:5efe:a00:11e").packed
SITE = parse(
    f'[site]\nprefix = "{PREFIX}::/48"\n[gateway]\ncertificate = "c"\nkey = "k"\nclient_ca = "ca"\n'
    '[translation]\npool = "10.0.8.0/24"\n'
)
NAMES = {CLIENT: "laptop.corp.example", OTHER: "tablet.corp.example"}


def sessions() -> Sessions:
    return Sessions(SITE, plan(SITE), NAMES.get, lambda peer: f"name-of-{peer}")


def connection(source: bytes, destination: bytes, protocol: int = 6, port: int = 80) -> ConntrackEntry:
    return ConntrackEntry(
        protocol, source, 40000, destination, port, source, "established", 1e9, 1, 100, 2, 200
    )


@pytest.mark.parametrize(
    ("packet", "shown", "way"),
    [
        ("fd12:3456:789a:7777::a00:14", "10.0.0.20", Mechanism.NAT64),
        ("fd12:3456:789a:1:0:5efe:a00:11e", "10.0.1.30", Mechanism.ISATAP),
        ("fd12:3456:789a:1:200:5efe:c633:6407", "198.51.100.7", Mechanism.ISATAP),
        ("fd12:3456:789a:1::7", "fd12:3456:789a:1::7", Mechanism.IPV6),
        ("fd99::5efe:a00:1", "fd99::5efe:a00:1", Mechanism.IPV6),
    ],
)
def test_a_machine_is_shown_as_the_intranet_knows_it(packet: str, shown: str, way: Mechanism) -> None:
    address, through = machine(IPv6Address(packet).packed, SITE, plan(SITE))
    assert (str(address), through) == (shown, way)


def test_ipv4_stays_ipv4() -> None:
    address = IPv4Address("10.0.0.20")
    assert machine(address.packed, SITE, plan(SITE))[0] == address


def test_a_client_reaches_a_server() -> None:
    assert sessions().row(connection(CLIENT, APP)) == {
        "client": "laptop.corp.example",
        "client_address": f"{PREFIX}:1000::2",
        "peer": "10.0.0.20",
        "peer_name": "name-of-10.0.0.20",
        "begun_by": "client",
        "protocol": "tcp",
        "port": 80,
        "state": "established",
        "since": 1e9,
        "rx_packets": 1,
        "rx_bytes": 100,
        "tx_packets": 2,
        "tx_bytes": 200,
        "through": "NAT64",
    }


def test_a_manager_calls_a_client() -> None:
    row = sessions().row(connection(APP, CLIENT))
    assert (row["client"], row["peer"], row["begun_by"]) == ("laptop.corp.example", "10.0.0.20", "manager")
    assert (row["rx_bytes"], row["tx_bytes"], row["through"]) == (200, 100, "NAT46")
    row = sessions().row(connection(HELPDESK, CLIENT, 132))
    assert (row["peer"], row["protocol"], row["through"]) == ("10.0.1.30", "sctp", "ISATAP")


def test_client_to_client_and_protocols_without_a_name() -> None:
    row = sessions().row(connection(CLIENT, OTHER, 99, 0))
    assert (row["client"], row["peer_name"]) == ("laptop.corp.example", "tablet.corp.example")
    assert (row["protocol"], row["through"]) == ("99", "IPv6")


def test_only_managers_make_calls() -> None:
    made = sessions()
    call = made.call(connection(HELPDESK, CLIENT))
    assert call is not None
    assert (str(call.manager), call.way, call.client) == ("10.0.1.30", "ISATAP", "laptop.corp.example")
    call = made.call(connection(APP, CLIENT))
    assert call is not None
    assert (str(call.manager), call.way) == ("10.0.0.20", "NAT46")
    for source, destination in (
        (CLIENT, APP),
        (CLIENT, OTHER),
        (HELPDESK, plan(SITE).gateway_address.packed),
    ):
        assert made.call(connection(source, destination)) is None


def test_a_call_of_a_client_without_a_name_has_its_address() -> None:
    stranger = IPv6Address(f"{PREFIX}:1000::99")
    call = sessions().call(connection(HELPDESK, stranger.packed))
    assert call is not None
    assert (call.client, call.client_address) == ("", str(stranger))
