"""How the policy names machines, rules and what is wrong."""

from __future__ import annotations

from manageout.linux.nft.features import ALL, Features
from manageout.service.policy.report import Lately, Troubles, findings, rule_names
from manageout.site.tables.site import parse

SITE = parse(
    '[site]\nprefix = "fd12:3456:789a::/48"\n[gateway]\ncertificate = "c"\nkey = "k"\nclient_ca = "ca"\n'
    '[translation]\npool = "10.0.8.0/24"\n'
    + '[[policy.managers]]\nname = "desk"\nfrom = ["10.0.1.0/24"]\nservices = ["any"]\n' * 2
    + '[[policy.managers]]\nfrom = ["10.0.1.0/24"]\nservices = ["any"]\n'
)


def test_every_rule_has_a_name_of_its_own() -> None:
    assert rule_names(SITE.policy.managers) == ["desk (0)", "desk (1)", "managers.2"]


def test_findings() -> None:
    assert list(findings({"helpdesk.corp.example": ""}, Troubles(), ALL)) == []
    troubles = Troubles(2, "no nft", "old kernel", "no answer", 7)
    found = list(findings({"helpdesk.corp.example": "has no address"}, troubles, Features(False, False)))
    rules = ["RULES-MISSING", "RULES-UNJUDGED", "RULES-REMOVED", "FORWARDING-GUARDED", "RULES-SHARED"]
    codes = ["MANAGER-NAME", *rules, "CONNECTIONS-UNLIMITED", "CONNECTIONS-STAY"]
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
