"""Who is meant by the words on the command line."""

from __future__ import annotations

import time
from ipaddress import IPv4Address
from typing import Any

import pytest

from manageout.doctor.look import pair as reach_pair
from manageout.errors import AddressError
from manageout.site.tables.site import parse

DOMAIN = "corp.example"
NAME = "laptop.corp.example"
ADDRESS, OTHER, LEASE = "fd12:3456:789a:1000::10", "fd12:3456:789a:1000::99", "10.0.0.129"
PEER = "198.51.100.20:5000"
SITE = parse("""
[site]
prefix = "fd12:3456:789a::/48"
[isatap]
locators = ["10.0.0.1"]
[[policy.managers]]
name = "helpdesk"
from = ["10.0.1.30", "10.9.0.0/16"]
services = ["any"]
""")


def row(**changes: Any) -> Any:
    return {
        "name": NAME,
        "addresses": [OTHER, ADDRESS, "fe80::1"],
        "peer": PEER,
        "last_seen": time.time(),
    } | changes


def lease(**changes: Any) -> Any:
    held = {"name": NAME, "ipv4": LEASE, "state": "held", "address": ADDRESS, "others": [OTHER]}
    return held | changes


def period(**changes: Any) -> Any:
    past = {"name": NAME, "ipv4": LEASE, "address": ADDRESS, "since": 1.0, "until": 2.0, "peer": PEER}
    return past | changes


def drop(reason: str, source: str = "198.51.100.20", last: float | None = None) -> Any:
    return {"reason": reason, "source": source, "count": 2, "last": time.time() if last is None else last}


@pytest.mark.parametrize("given", ["laptop", "LAPTOP", NAME, ADDRESS, OTHER, LEASE])
def test_a_connected_client_by_name_or_address(given: str) -> None:
    found, identity = reach_pair.client(given, DOMAIN, [row()], [lease()], [], [])
    assert identity == NAME and found.connected and found.name == NAME
    assert found.addresses == (ADDRESS, OTHER)  # that of the lease first, none that is local to the link
    assert (found.lease, found.lease_state, found.peer) == (LEASE, "held", PEER)
    assert found.quiet is not None and found.quiet < 5


def test_a_certificate_name_without_a_domain() -> None:
    found, identity = reach_pair.client("laptop", DOMAIN, [row(name="laptop")], [], [], [])
    assert (found.name, identity, found.lease) == (NAME, "laptop", "")


def test_a_client_without_a_certificate_is_not_taken_for_one_that_is_away() -> None:
    found, identity = reach_pair.client("laptop", DOMAIN, [row(name="")], [], [period(name="")], [])
    assert (found.connected, found.known, identity) == (False, False, "laptop")


def test_a_client_that_waits_for_a_lease() -> None:
    waiting = lease(ipv4=None, state="waiting")
    found, _ = reach_pair.client("laptop", DOMAIN, [row()], [waiting], [], [])
    assert (found.lease, found.lease_state) == ("", "waiting")


def test_a_client_that_is_away() -> None:
    past = period(until=2.0)
    found, _ = reach_pair.client("laptop", DOMAIN, [], [lease(state="grace")], [past], [])
    assert found.connected is False and found.known and found.peer == PEER and not found.refused
    unknown, identity = reach_pair.client("tablet", DOMAIN, [row()], [lease()], [past], [])
    assert not unknown.known and unknown.connected is False and identity == "tablet"


def test_refusals_count_from_where_it_was_and_since_then() -> None:
    gone = time.time() - 60
    past = period(until=gone)
    drops = [
        drop("certificate-revoked"),
        drop("certificate-expired", last=gone - 5),
        drop("certificate-expired", source="203.0.113.5"),
        drop("tls-failed"),
        drop("certificate-invalid", source="x"),
    ]
    found, _ = reach_pair.client("laptop", DOMAIN, [], [], [past], drops)
    assert len(found.refused) == 1 and found.refused[0].startswith("certificate-revoked from 198.51.100.20")
    six = past | {"peer": "[2001:db8:1::5]:4000"}
    found, _ = reach_pair.client(
        "laptop", DOMAIN, [], [], [six], [drop("certificate-expired", "2001:db8:1::/64")]
    )
    assert len(found.refused) == 1


def test_a_stranger_s_refusals_must_be_of_now() -> None:
    for last, seen in ((time.time(), 1), (time.time() - 3000, 0)):
        found, _ = reach_pair.client("tablet", DOMAIN, [], [], [], [drop("certificate-revoked", last=last)])
        assert len(found.refused) == seen and not found.known


def test_managers() -> None:
    for text in ("10.0.1.30", "fd12:3456:789a:1:0:5efe:a00:11e", "fe80::200:5efe:a00:11e"):
        assert reach_pair.manager(text, DOMAIN, [], None)[0] == [IPv4Address("10.0.1.30")]
    with pytest.raises(AddressError, match="no ISATAP address"):
        reach_pair.manager("fd12::1", DOMAIN, [], None)
    assert reach_pair.manager("HelpDesk", DOMAIN, [], SITE)[0] == [IPv4Address("10.0.1.30")]


def test_full_names() -> None:
    assert reach_pair.full_name("Laptop", DOMAIN) == NAME
    assert reach_pair.full_name("laptop.other.", DOMAIN) == "laptop.other"
    assert reach_pair.full_name("laptop", "") == "laptop"
