"""ISATAP routers of a running machine: each rule alone on its case."""

from __future__ import annotations

import pytest

from manageout.doctor.diagnosis import diagnose
from tests.unit.doctor.live_cases import CASES, codes, facts
from tests.unit.doctor.rules.cases import theme


@pytest.mark.parametrize("code", theme("live_isatap"))
def test_a_case_is_named_and_its_consequences_are_not(code: str) -> None:
    assert codes(CASES[code]()) == [code]


def test_a_farewell_is_no_fault() -> None:
    (finding,) = diagnose([facts(CASES["LIVE-ROUTER-FAREWELL"]())])
    assert finding.severity == "note" and finding.hidden == ("LIVE-ROUTER-NO-ROUTE",)
