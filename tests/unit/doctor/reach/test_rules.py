"""Rules of `doctor reach`: each fault alone is named once, and a healthy way is passed in silence."""

from __future__ import annotations

import pytest

from manageout.doctor.diagnosis import diagnose
from manageout.doctor.rules.catalogue import RULES
from tests.unit.doctor.reach_cases import CASES, HEALTHY, codes, facts


def test_each_rule_has_a_case() -> None:
    assert {f"REACH-{code}" for code in CASES} == {code for code in RULES if code.startswith("REACH-")}


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_said_of_a_healthy_way(name: str) -> None:
    assert codes(HEALTHY[name]) == []


@pytest.mark.parametrize("code", CASES)
def test_a_fault_is_named_and_its_consequences_are_not(code: str) -> None:
    (finding,) = diagnose([facts(CASES[code]())])
    assert finding.code == f"REACH-{code}"
    assert finding.seen and all(finding.seen) and finding.computer


def test_consequences_are_told() -> None:
    (finding,) = diagnose([facts(CASES["CLIENT-OFFLINE"]())])
    assert finding.hidden == ()
    (finding,) = diagnose([facts(CASES["ROUTER-OFF"]())])
    assert finding.hidden == ("REACH-CLIENT-SILENT",)
