"""What outputs show of which the collector holds nothing."""

from __future__ import annotations

import pytest

from manageout.doctor.facts import Facts, Filtered
from tests.unit.doctor.judging import found


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("DA Clients", "error"),
        ("C_ISATAP_Hosts", "error"),
        ("Printers of the 3rd floor", "note"),
        ("Data", "note"),
    ],
)
def test_a_policy_for_others_is_a_note(name: str, severity: str) -> None:
    machine = Facts("x", filtered=[Filtered(name, "security", "line")])
    assert found(machine)["POLICY-DENIED"].severity == severity
