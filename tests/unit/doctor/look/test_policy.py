"""What a site file says of one pair, and what other people's rules do to its packets."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from manageout.doctor.look import policy as reach_policy
from manageout.doctor.look.policy import Pair
from manageout.doctor.reach.reach import Way
from manageout.linux.nft.evaluate import Ruleset
from manageout.site import plan
from manageout.site.tables.site import parse

SITE = parse("""
[site]
prefix = "fd12:3456:789a::/48"
[gateway]
certificate = "a"
key = "b"
client_ca = "c"
[translation]
pool = "10.0.8.0/24"
[isatap]
locators = ["10.0.0.1"]
[[policy.managers]]
name = "helpdesk"
from = ["10.0.1.0/24", "console.corp.example"]
services = ["icmp", "tcp/22", "tcp/5985-5986", "udp"]
[[policy.managers]]
name = "push"
from = ["10.0.1.40"]
to = ["lab-*"]
services = ["any"]
[[policy.managers]]
from = ["10.0.2.1"]
services = ["tcp"]
""")
PLAN = plan.plan(SITE)
HOST = IPv4Address("10.0.1.30")
CLIENT, LEASE = "fd12:3456:789a:1000::10", "10.0.8.10"


def fault(host: str, client: str, service: str, *names: str) -> str:
    return reach_policy.judge(SITE, [IPv4Address(host)], names, client, service).fault


@pytest.mark.parametrize(
    ("host", "client", "service", "expected"),
    [
        ("10.0.1.30", "laptop.corp.example", "tcp/22", ""),
        ("10.0.1.30", "laptop.corp.example", "icmp", ""),
        ("10.0.1.30", "laptop.corp.example", "udp/161", ""),
        ("10.0.1.30", "laptop.corp.example", "tcp/5986", ""),
        ("10.0.1.30", "laptop.corp.example", "tcp/5987", "service"),
        ("10.0.1.30", "laptop.corp.example", "tcp/3389", "service"),
        ("10.0.1.30", "laptop.corp.example", "", ""),
        ("10.0.1.40", "LAB-7.corp.example", "tcp/3389", ""),
        ("10.0.1.40", "laptop.corp.example", "tcp/3389", "service"),
        ("10.0.2.1", "laptop.corp.example", "tcp/3389", ""),
        ("10.0.2.1", "laptop.corp.example", "icmp", "service"),
        ("10.0.3.1", "laptop.corp.example", "icmp", "host"),
        ("10.0.1.40", "", "tcp/3389", ""),  # where names of clients are not known
    ],
)
def test_who_may_call_whom(host: str, client: str, service: str, expected: str) -> None:
    assert fault(host, client, service) == expected


def test_a_manager_by_name_and_a_client_that_nobody_names() -> None:
    assert fault("10.0.3.1", "x", "tcp/22", "Console.corp.example") == ""
    only = parse("""
[site]
prefix = "fd12:3456:789a::/48"
[gateway]
certificate = "a"
key = "b"
client_ca = "c"
[[policy.managers]]
from = ["10.0.2.1"]
to = ["lab-*"]
services = ["tcp"]
""")
    found = reach_policy.judge(only, [IPv4Address("10.0.2.1")], (), "laptop", "tcp/22")
    assert (found.fault, found.words) == ("client", "managers.0: not laptop")


def test_as_whom_the_client_sees_a_manager() -> None:
    assert reach_policy.sources(SITE, PLAN, HOST, lease=True, isatap=True) == {
        "lease": IPv6Address("fd12:3456:789a:7777::10.0.1.30"),
        "isatap": IPv6Address("fd12:3456:789a:1:0:5efe:10.0.1.30"),
    }
    assert reach_policy.sources(SITE, PLAN, HOST, lease=False, isatap=False) == {}


def chain(hook: str, *matches: dict[str, Any]) -> list[dict[str, Any]]:
    place = {"family": "inet", "table": "strangers"}
    base = place | {"name": "c", "hook": hook, "prio": 0, "type": "filter", "policy": "accept"}
    rule = place | {
        "chain": "c",
        "handle": 1,
        "expr": [*({"match": match} for match in matches), {"drop": None}],
    }
    return [{"chain": base}, {"rule": rule}]


def dport(number: int) -> dict[str, Any]:
    return {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": number}


PROTO_41 = {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": 41}
OUT = {"op": "==", "left": {"meta": {"key": "oifname"}}, "right": "mo-xlat0"}


@pytest.mark.parametrize(
    ("hook", "match", "ways"),
    [
        ("forward", dport(22), {"lease", "isatap"}),
        ("forward", dport(23), set()),
        ("input", PROTO_41, {"isatap"}),
        ("forward", OUT, {"lease"}),
    ],
)
def test_packets_that_other_tables_drop(hook: str, match: dict[str, Any], ways: set[Way]) -> None:
    rules = Ruleset([{"metainfo": {}}, "x", *chain(hook, match)], {})
    found = reach_policy.sources(SITE, PLAN, HOST, lease=True, isatap=True)
    pair = Pair(str(HOST), CLIENT, LEASE, "tcp/22", "mo-iphttps0")
    assert {each.way for each in reach_policy.refused(rules, PLAN, found, pair)} == ways
