"""Which records connected clients should have, as leases say; the answers are those of system tests."""

from __future__ import annotations

from typing import Any

from manageout.doctor.look.records import records
from manageout.site.tables.site import Site, parse

SITE = """
[site]
prefix = "fd12:3456:789a::/48"
domain = "corp.example"
[gateway]
listen = ["203.0.113.1:443"]
certificate = "/x"
client_ca = "/x"
key = "/x"
[translation]
pool = "10.0.8.0/24"
[names]
reverse = {reverse}
"""
NAME = "laptop.corp.example"


def site(reverse: bool = False) -> Site:
    return parse(SITE.format(reverse=str(reverse).lower()))


def lease(**changes: Any) -> Any:
    held = {"name": NAME, "ipv4": "10.0.8.1", "state": "held", "address": "fd12::1", "others": ["fd12::2"]}
    return held | changes


def due(*leases: Any, reverse: bool = False) -> list[tuple[str, str, tuple[str, ...]]]:
    found = records(leases, site(reverse), ())
    assert all(record.client and not record.answers for record in found)  # nobody was asked
    return [(record.name, record.kind, record.wanted) for record in found]


def test_a_client_has_both_addresses_under_its_name() -> None:
    assert due(lease()) == [(NAME, "A", ("10.0.8.1",)), (NAME, "AAAA", ("fd12::1", "fd12::2"))]
    assert due(lease(address=None, others=[])) == [(NAME, "A", ("10.0.8.1",))]


def test_addresses_lead_back_where_the_reverse_zone_is_ours() -> None:
    back = [row for row in due(lease(), reverse=True) if row[1] == "PTR"]
    assert [row[2] for row in back] == [(NAME,), (NAME,)]
    assert back[0][0] == "1.8.0.10.in-addr.arpa" and back[1][0].endswith(".ip6.arpa")


def test_neither_strangers_nor_those_that_are_away() -> None:
    assert due(lease(name="pc.elsewhere.example"), lease(name="corp.example"), lease(state="grace")) == []
