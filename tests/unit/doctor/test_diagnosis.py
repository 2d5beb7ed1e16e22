"""What rules find becomes diagnoses, the worst first, without what is only a consequence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from manageout.doctor.diagnosis import diagnose
from manageout.doctor.facts import Facts
from manageout.doctor.rules.catalogue import RULES
from manageout.doctor.rules.rule import Rule
from tests.unit.doctor.bundles import HEALTHY, MANAGER, Bundle, changed
from tests.unit.doctor.judging import pasted, pasted_all
from tests.unit.doctor.rules.cases import CASES, codes, isatap, read, without_address


def always(facts: Facts) -> Iterator[tuple[str, ...]]:
    yield ("seen",)


def made(code: str, *hides: str, severity: str = "error") -> Rule:
    return Rule(code, severity, "t", "c.", ("r",), frozenset(hides), always)  # type: ignore[arg-type]


def found_by(*rules: Rule) -> list[str]:
    return [finding.code for finding in diagnose([Facts("x")], rules)]


def test_a_cause_hides_what_follows_from_it() -> None:
    assert found_by(made("A", "B"), made("B"), made("C")) == ["A", "C"]


def test_a_hidden_cause_hides_on() -> None:
    assert found_by(made("A", "B"), made("B", "C"), made("C")) == ["A"]


def test_what_is_not_there_hides_nothing() -> None:
    (finding,) = diagnose([Facts("x")], [made("A", "B")])
    assert finding.hidden == ()


def test_the_worst_first() -> None:
    assert found_by(made("A", severity="note"), made("B", severity="warning"), made("C")) == ["C", "B", "A"]


def test_there_are_many_rules_and_each_has_a_case() -> None:
    assert len(RULES) >= 40
    # test_live_rules and test_reach_rules have the others.
    assert set(CASES) == {code for code in RULES if not code.startswith(("LIVE-", "REACH-"))}


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_said_of_a_healthy_machine(name: str) -> None:
    assert codes(HEALTHY[name]) == []


NAMES = ("IP", "DisabledComponents", "ISATAP", "Teredo", "NAT64", "DNS64", "Windows", "DirectAccess")


@pytest.mark.parametrize("name", RULES)
def test_a_rule_explains_itself(name: str) -> None:
    rule = RULES[name]
    assert rule.title[0].islower() or rule.title.startswith(NAMES)
    assert rule.cause.endswith(".") and rule.remedy
    assert rule.hides <= set(RULES)


def test_findings_quote_what_was_seen() -> None:
    for name, case in CASES.items():
        for finding in diagnose([read(case())]):
            assert finding.seen and all(finding.seen), name


def test_what_is_hidden_is_told() -> None:
    (finding,) = diagnose([read(CASES["ISATAP-NO-NAME"]())])
    assert finding.hidden == ("ISATAP-LINK-LOCAL-ONLY",)


def test_several_machines_the_worst_first() -> None:
    found = diagnose([read(CASES[name]()) for name in ("EVIDENCE", "ISATAP-MTU", "IPHTTPS-NAME")])
    assert [finding.severity for finding in found] == ["error", "warning", "note"]


def any_row(value: Any) -> Bundle:
    return changed(MANAGER, "adapters", value)


@pytest.mark.parametrize("value", [None, 5, "x", [None, 7, "x"], [{"ifIndex": "x"}], {"ifIndex": 15}])
def test_strange_sections_do_no_harm(value: object) -> None:
    diagnose([read(any_row(value))])


def test_no_remedy_sets_the_bare_name_again() -> None:
    for name, wanted in (
        ("isatap.corp.example", "ROUTER"),
        ("mo-isatap.corp.example", "mo-isatap.corp.example"),
    ):
        machine = isatap(without_address(MANAGER), "Default", name)
        (step, *_), *_ = [one.remedy for one in diagnose([read(machine)]) if one.code == "ISATAP-DEFAULT"]
        assert step == f"Set-NetIsatapConfiguration -State Enabled -Router {wanted}"


FORWARDS = """C:\\>netsh interface ipv6 show interface 17

Interface isatap.{5C1B7A02-3D6E-4B11-9E0A-7B0A5F2E6D10} Parameters
----------------------------------------------
IfLuid                             : tunnel_5
IfIndex                            : 17
State                              : connected
Metric                             : 50
Link MTU                           : 1280 bytes
Reachable Time                     : 28500 ms
Base Reachable Time                : 30000 ms
Retransmission Interval            : 1000 ms
DAD Transmits                      : 0
Site Prefix Length                 : 64
Site Id                            : 1
Forwarding                         : disabled
Advertising                        : disabled
Neighbor Discovery                 : enabled
"""


def test_what_is_a_fault_of_some_machines_alone_is_told_where_nobody_says_which_it_is() -> None:
    (told,) = pasted(FORWARDS).values()
    assert (told.code, told.severity) == ("EVIDENCE", "note")
    assert told.seen[0].startswith(
        "on a DirectAccess server: the Windows ISATAP router has lost its settings"
    )
    assert set(pasted(f"on the DA server:\n\n{FORWARDS}")) == {"SERVER-RESET"}


def test_what_failed_and_no_rule_has_judged_is_told() -> None:
    text = "PS C:\\> Test-NetConnection app.corp.example -Port 8443\n\nComputerName     : app.corp.example\n"
    text += "RemoteAddress    : 10.0.0.7\nRemotePort       : 8443\nTcpTestSucceeded : {}\n"
    (told,) = pasted(text.format(False)).values()
    assert told.code == "EVIDENCE" and "TcpTestSucceeded False" in told.seen[0]
    assert not pasted(text.format(True))


SERVER = """
on the DA server:
C:\\>netsh interface ipv6 show interface 14

Interface isatap.corp.example Parameters
----------------------------------------------
IfLuid                             : tunnel_4
IfIndex                            : 14
Forwarding                         : enabled
Advertising                        : disabled
Advertise Default Route            : enabled
"""
HOST = """
A-HELPDESK:
PS C:\\> Get-NetIsatapConfiguration | fl

State  : Enabled
Router : da-isatap.corp.example

PS C:\\> ipconfig

Tunnel adapter isatap.corp.example:

   Link-local IPv6 Address . . . . . : fe80::5efe:10.21.9.40%8
   Default Gateway . . . . . . . . . :
"""


@pytest.mark.parametrize("text", [SERVER + HOST, HOST + SERVER])
def test_why_stands_before_that_on_whichever_machine(text: str) -> None:
    told = [one.code for one in pasted_all(text).values() if one.severity == "error"]
    assert told == ["SERVER-ADVERTISING", "ISATAP-LINK-LOCAL-ONLY"]
