"""Rules of the firewall as netsh prints them: which count, and what of them; and what a single one does not say."""

from __future__ import annotations

import pytest

from manageout.doctor.diagnosis import diagnose
from manageout.doctor.facts import Facts
from manageout.doctor.read import pasted as read_text

RULE = """
Rule Name:                            {name}
----------------------------------------------------------------------
Enabled:                              {enabled}
Direction:                            {direction}
Profiles:                             {profiles}
Grouping:
LocalIP:                              Any
RemoteIP:                             {remote}
Protocol:                             TCP
LocalPort:                            {port}
RemotePort:                           Any
Edge traversal:                       {edge}
Action:                               {action}
"""
BOTH = "fd12:3456:789a:1:0:5efe::/96,fd12:3456:789a:1:200:5efe::/96"


def rule(**words: str) -> str:
    usual = {
        "name": "RDP", "enabled": "Yes", "direction": "In", "profiles": "Private,Public", "remote": BOTH,
        "port": "3389", "edge": "Yes", "action": "Allow",
    }  # fmt: skip
    return RULE.format(**(usual | words))


def read(*rules: str, which: str = "RDP", more: str = "") -> Facts:
    text = f'C:\\>netsh advfirewall firewall show rule name="{which}"\n{"".join(rules)}Ok.\n\n{more}'
    found = Facts("x")
    read_text.read(found, text.splitlines())
    return found


def codes(facts: Facts) -> set[str]:
    return {finding.code for finding in diagnose([facts])}


def test_what_is_read_of_a_rule() -> None:
    (found,) = read(rule(port="3389,5900-5910", name="RDP and VNC")).firewall or []
    assert (found.name, found.ports, found.edge) == ("RDP and VNC", ("3389", "5900-5910"), True)
    assert found.profiles == {"private", "public"} and found.remote == tuple(BOTH.split(","))
    assert "RDP and VNC" in found.quote and "Private,Public" in found.quote


@pytest.mark.parametrize(
    "words", [{"enabled": "No"}, {"direction": "Out"}, {"action": "Block"}], ids=lambda words: str(words)
)
def test_rules_that_let_nobody_in_do_not_count(words: dict[str, str]) -> None:
    assert read(rule(**words), rule(name="other")).firewall == read(rule(name="other")).firewall


@pytest.mark.parametrize(
    ("word", "edge"),
    [("Yes", True), ("No", False), ("Defer to user", True), ("Defer to application", True), ("", None)],
)
def test_edge_traversal(word: str, edge: bool | None) -> None:
    (found,) = read(rule(edge=word)).firewall or []
    assert found.edge is edge


def test_one_rule_says_nothing_of_the_others() -> None:
    client = "C:\\>netsh interface httpstunnel show interfaces\nURL : https://g.example/IPHTTPS\n"
    client += "Last Error Code : 0x0\nInterface Status : IPHTTPS interface active\n"
    assert "FIREWALL-CLOSED" not in codes(read(rule(port="445"), which="Files", more=client))
    assert "FIREWALL-CLOSED" in codes(read(rule(port="445"), which="all", more=client))
    assert "FIREWALL-CLOSED" not in codes(read(rule(), which="all", more=client))


def test_a_rule_for_managers_is_judged_wherever_it_is() -> None:
    assert codes(read(rule())) == set()
    assert codes(read(rule(profiles="Domain"))) == {"FIREWALL-PROFILE"}
    assert codes(read(rule(remote=BOTH.split(",")[0]))) == {"FIREWALL-SCOPE"}
    assert codes(read(rule(profiles="Domain,Private,Public"))) == set()
    assert codes(read(rule(profiles="Domain", remote="Any"))) == {"EVIDENCE"}  # of nobody knows what machine


def test_what_is_no_rule_is_none() -> None:
    for text in (
        "Rule Name: x\n",
        "Action: Allow\n",
        "Rule Name:\nAction:\n",
        "Rule Name: a\nRule Name: b\n",
    ):
        assert not read(text).firewall


def test_all_rules_none_of_which_lets_anybody_in() -> None:
    found = read(rule(action="Block"), which="all")
    assert found.firewall == [] and "rules" in found.sections
