"""Who needs ISATAP, and what will serve them instead."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest

from manageout.retire.census.hosts import fresh
from manageout.retire.judge import HostVerdicts, LeaseGateway, caveats, judge, ready
from manageout.retire.rows import HostVerdict
from manageout.service.state.usage import DAY, Usage
from manageout.service.usage.rows import MANY
from manageout.site.plan import plan
from manageout.site.tables.site import parse
from tests.tools import site_file
from tests.tools.site_file import GATEWAY

NOW = 20_000.0 * DAY
SINCE = NOW - 30 * DAY
HEAD = site_file.SITE
POOL = '[translation]\npool = "10.0.8.0/24"\n'
ROUTER = '[isatap]\nlocators = ["10.0.0.5"]\n'
HELPDESK = '[[policy.managers]]\nfrom = ["10.0.1.0/24"]\nservices = ["tcp/3389", "tcp/5985-5986", "icmp"]\n'
RDP = Usage(
    20_000 - 1, "10.0.1.30", "ISATAP", "laptop.corp.example", "tcp", 3389, NOW - DAY, NOW - DAY, 4, 1, 900
)


def gateway(*tables: str) -> LeaseGateway:
    site = parse(HEAD + "".join(tables))
    return LeaseGateway(site, plan(site))


FULL = gateway(GATEWAY, POOL, HELPDESK)


def host(v4: str = "10.0.1.30", **more: Any) -> Any:
    seen = {"last_seen": NOW - 60, "routers": ["this router"]}
    return {**fresh(IPv4Address(v4)), **seen, **more}


def verdict(found: HostVerdicts, v4: str = "10.0.1.30") -> HostVerdict:
    return found.verdicts[v4]


def test_who_initiates_who_holds_and_who_is_gone() -> None:
    hosts = [
        host(),
        host("10.0.1.31"),
        host("10.0.1.32", last_seen=SINCE - 1),
        host("10.0.1.33", last_seen=0),
    ]
    found = judge(hosts, [RDP], FULL, SINCE)
    assert [row["class"] for row in found.verdicts.values()] == ["initiates", "holds", "gone", "gone"]
    assert found.figures == {
        "hosts": 4,
        "initiate": 1,
        "only hold an address": 1,
        "gone": 2,
        "served by native IPv6": 0,
        "served by a lease": 1,
        "served by nothing yet": 0,
        "calls": 4,
    }
    assert all(ready(row) for row in found.verdicts.values())


def test_to_what_over_all_days_the_busiest_first() -> None:
    calls = [RDP, RDP._replace(day=1, calls=2, last=NOW), RDP._replace(protocol="icmp", port=0, calls=50)]
    row = verdict(judge([host()], calls, FULL, SINCE))
    assert row["calls"] == 56
    assert row["last_call"] == NOW
    assert [(each["protocol"], each["port"], each["calls"]) for each in row["opens"]] == [
        ("icmp", 0, 50),
        ("tcp", 3389, 6),
    ]
    assert row["opens"][1]["unanswered"] == 2


def test_old_calls_do_not_count() -> None:
    assert verdict(judge([host()], [RDP._replace(last=SINCE - 1)], FULL, SINCE))["class"] == "holds"


def test_a_caller_that_the_census_did_not_see_is_judged_too() -> None:
    found = judge([], [RDP], FULL, SINCE)
    assert verdict(found)["class"] == "initiates"


@pytest.mark.parametrize(
    ("served", "says"),
    [
        (gateway(ROUTER, HELPDESK), "give the gateway's file with --gateway"),
        (gateway(GATEWAY, HELPDESK), "has no [translation] table"),
        (gateway(GATEWAY, POOL + "masquerade = true\n", HELPDESK), "masquerade hides leases"),
        (
            gateway(GATEWAY, '[translation]\npool = "10.0.8.0/30"\n', HELPDESK),
            "room for 2 clients, and 3 were called",
        ),
    ],
)
def test_what_keeps_everybody_from_leases(served: LeaseGateway, says: str) -> None:
    calls = [RDP, RDP._replace(client="b"), RDP._replace(client="c")]
    found = judge([host()], calls, served, SINCE)
    assert says in found.blockers[0]
    assert verdict(found)["serves"] == "nothing"
    assert says in verdict(found)["blockers"][0]
    assert not ready(verdict(found))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (RDP._replace(port=22), "lets 10.0.1.30 call tcp/22 of laptop.corp.example by lease"),
        (RDP._replace(protocol="gre", port=0), "gre is not translated: it needs native IPv6"),
        (RDP._replace(client=MANY, port=0), "call tcp by lease"),
    ],
)
def test_what_keeps_one_host_from_leases(call: Usage, says: str) -> None:
    row = verdict(judge([host()], [RDP, call], FULL, SINCE))
    assert row["serves"] == "nothing"
    assert len(row["blockers"]) == 1
    assert says in row["blockers"][0]


@pytest.mark.parametrize(
    ("rule", "client", "allowed"),
    [
        ('from = ["10.0.1.30"]\nservices = ["any"]', "laptop", True),
        ('from = ["10.0.1.31"]\nservices = ["any"]', "laptop", False),
        ('from = ["helpdesk.corp.example"]\nservices = ["tcp"]', "laptop", True),
        ('from = ["other.corp.example"]\nservices = ["tcp"]', "laptop", False),
        ('from = ["fd12::/16"]\nservices = ["any"]', "laptop", False),
        ('from = ["10.0.0.0/8"]\nto = ["Lap*"]\nservices = ["tcp/3000-4000"]', "laptop", True),
        ('from = ["10.0.0.0/8"]\nto = ["lap*"]\nservices = ["udp/3389"]', "laptop", False),
        ('from = ["10.0.0.0/8"]\nto = ["lap*"]\nservices = ["any"]', "desktop", False),
        ('from = ["10.0.0.0/8"]\nto = ["fd*"]\nservices = ["any"]', "fd12:3456:789a:1000::5", False),
        ('from = ["10.0.0.0/8"]\nto = ["x", "*"]\nservices = ["any"]', "fd12:3456:789a:1000::5", True),
    ],
)
def test_the_policy_as_the_filter_reads_it(rule: str, client: str, allowed: bool) -> None:
    served = gateway(GATEWAY, POOL, f"[[policy.managers]]\n{rule}\n")
    row = verdict(judge([host(name="Helpdesk.corp.example")], [RDP._replace(client=client)], served, SINCE))
    assert row["serves"] == ("lease" if allowed else "nothing")


def test_native_ipv6_needs_the_policy_of_our_gateway_too() -> None:
    native = host(native=["fd12:3456:789a:5::30"])
    unknown = judge([native], [RDP], gateway(ROUTER), SINCE)
    assert verdict(unknown)["serves"] == "native"
    only_v4 = judge([native], [RDP._replace(port=22)], FULL, SINCE)
    assert verdict(only_v4)["serves"] == "nothing"
    assert [text.split(" lets ")[1] for text in verdict(only_v4)["blockers"]] == [
        "10.0.1.30 call tcp/22 of laptop.corp.example by lease",
        "fd12:3456:789a:5::30 call tcp/22 of laptop.corp.example",
    ]
    both = gateway(GATEWAY, POOL, HELPDESK, HELPDESK.replace("10.0.1.0/24", "fd12:3456:789a:5::/64"))
    assert verdict(judge([native], [RDP], both, SINCE))["serves"] == "native"
    assert verdict(judge([native], [RDP], FULL, SINCE))["serves"] == "lease"


def test_calls_that_already_go_the_other_way() -> None:
    native = host(native=["fd12:3456:789a:5::30"])
    other = [RDP._replace(way="NAT46"), RDP._replace(way="IPv6", manager="fd12:3456:789a:5::30", calls=7)]
    row = verdict(judge([native], [RDP, *other], FULL, SINCE))
    assert row["already"] == {"NAT46": 4, "IPv6": 7}
    assert row["calls"] == 4


def test_more_callers_than_are_recorded_are_told_but_block_nobody() -> None:
    found = judge([host()], [RDP, RDP._replace(manager=MANY, client=MANY, port=0)], FULL, SINCE)
    assert "some are not judged" in found.blockers[0]
    assert verdict(found)["serves"] == "lease"
    assert MANY not in found.verdicts


def test_a_default_route_carries_what_is_not_recorded() -> None:
    assert caveats(parse(HEAD + ROUTER)) == []
    assert "default_route" in caveats(parse(HEAD + ROUTER + "default_route = true\n"))[0]
