"""Which address is preferred: each rule alone on its case, and evidence at its edges."""

from __future__ import annotations

import pytest

from manageout.doctor.diagnosis import Diagnosis
from tests.unit.doctor.bundles import MANAGER, changed
from tests.unit.doctor.judging import found
from tests.unit.doctor.rules.cases import alone, theme


@pytest.mark.parametrize("name", theme("preference"))
def test_a_case_is_named_and_its_consequences_are_not(name: str) -> None:
    assert alone(name)


def table(*rows: str) -> dict[str, Diagnosis]:
    return found(changed(MANAGER, "prefixPolicies", list(rows)))


OWN = ("50 0 ::1/128", "40 1 ::/0", "35 4 ::ffff:0:0/96", "30 2 2002::/16", "5 5 2001::/32", "3 13 fc00::/7")


def test_a_table_of_somebodys_own_rows_has_lost_windows() -> None:
    told = table("45 14 fd12:3456:789a::/48", "35 6 2001::/16")
    assert set(told) == {"PREFER-TABLE-LOST"}
    steps = told["PREFER-TABLE-LOST"].remedy
    assert "netsh interface ipv6 add prefixpolicy ::ffff:0:0/96 35 4" in steps and len(steps) == 6


def test_a_table_with_windows_rows_is_whole() -> None:
    assert not table(*OWN)
    assert not table(*OWN, "45 14 fd12:3456:789a::/48")
    assert not table(
        "50 0 ::1/128", "40 1 ::/0", "30 2 2002::/16", "20 3 ::/96", "10 4 ::ffff:0:0/96"
    )  # Windows 7
    assert not table()
