"""How the policy names machines, rules and what is wrong."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from manageout.linux.nft.features import ALL, Features
from manageout.service.policy.report import (
    Lately,
    Troubles,
    Way,
    findings,
    machine,
    rule_names,
    tracking_findings,
)
from manageout.site.plan import plan
from manageout.site.tables.site import parse

SITE = parse(
    '[site]\nprefix = "fd12:3456:789a::/48"\n[gateway]\ncertificate = "c"\nkey = "k"\nclient_ca = "ca"\n'
    '[translation]\npool = "10.0.8.0/24"\n'
    + '[[policy.managers]]\nname = "desk"\nfrom = ["10.0.1.0/24"]\nservices = ["any"]\n' * 2
    + '[[policy.managers]]\nfrom = ["10.0.1.0/24"]\nservices = ["any"]\n'
)


@pytest.mark.parametrize(
    ("packet", "shown", "way"),
    [
        ("fd12:3456:789a:7777::a00:14", "10.0.0.20", Way.NAT64),
        ("fd12:3456:789a:1:0:5efe:a00:11e", "10.0.1.30", Way.ISATAP),
        ("fd12:3456:789a:1:200:5efe:c633:6407", "198.51.100.7", Way.ISATAP),
        ("fd12:3456:789a:1::7", "fd12:3456:789a:1::7", Way.IPV6),
        ("fd99::5efe:a00:1", "fd99::5efe:a00:1", Way.IPV6),
    ],
)
def test_a_machine_is_shown_as_the_intranet_knows_it(packet: str, shown: str, way: Way) -> None:
    address, through = machine(IPv6Address(packet).packed, SITE, plan(SITE))
    assert (str(address), through) == (shown, way)


def test_ipv4_stays_ipv4() -> None:
    address = IPv4Address("10.0.0.20")
    assert machine(address.packed, SITE, plan(SITE))[0] == address


def test_every_rule_has_a_name_of_its_own() -> None:
    assert rule_names(SITE.policy.managers) == ["desk (0)", "desk (1)", "managers.2"]


def test_findings() -> None:
    assert findings({"helpdesk.corp.example": ""}, Troubles()) == []
    found = findings(
        {"helpdesk.corp.example": "has no address"}, Troubles(2, "no nft", "old kernel", "no answer", 7)
    )
    rules = ["RULES-MISSING", "RULES-UNJUDGED", "RULES-REMOVED", "FORWARDING-GUARDED", "RULES-SHARED"]
    codes = ["MANAGER-NAME", *rules]
    assert [row.code for row in found] == codes
    assert found[0].what == "the manager helpdesk.corp.example has no address"
    assert all(row.remedy for row in found)


def test_what_has_grown_lately() -> None:
    lately = Lately(600)
    assert lately.grown(5000) == 0
    lately.note(0, 5000)
    lately.note(3, 5002)
    lately.note(5, 5100)
    assert lately.grown(5699) == 5
    lately.note(5, 5700)
    assert lately.grown(5700) == 0
    lately.note(6, 9000)
    assert lately.grown(9001) == 1, "what was told and has ended is not told again"


def test_findings_of_connection_tracking() -> None:
    assert tracking_findings(ALL, []) == []
    found = tracking_findings(Features(False, False), [("a rule drops", "accept")])
    assert [row.code for row in found] == [
        "LISTENER-UNTRACKED",
        "CONNECTIONS-UNLIMITED",
        "CONNECTIONS-STAY",
    ]
    assert all(row.remedy for row in found)
