"""Name servers of a running machine: each rule alone on its case."""

from __future__ import annotations

import pytest

from tests.unit.doctor.live_cases import CASES, HOST, NAME, answer, codes, host
from tests.unit.doctor.rules.cases import theme


@pytest.mark.parametrize("code", theme("live_names"))
def test_a_case_is_named_and_its_consequences_are_not(code: str) -> None:
    assert codes(CASES[code]()) == [code]


def test_a_server_that_knows_nothing_of_the_zone_differs() -> None:
    refusing = answer(NAME, "A", server="10.0.0.11", rcode="REFUSED")
    assert codes(host(answers=(*HOST.answers, refusing))) == ["LIVE-NAME-DIFFERS"]


def test_a_machine_without_any_name_server() -> None:
    assert codes(host(servers=(), answers=())) == ["LIVE-DNS-NONE"]
