"""Any Windows machine: each rule alone on its case, and evidence at its edges."""

from __future__ import annotations

import pytest

from manageout.doctor.rules.machine import PARAMETERS
from tests.unit.doctor.bundles import CLIENT, MANAGER
from tests.unit.doctor.judging import found
from tests.unit.doctor.rules.cases import alone, registry, theme


@pytest.mark.parametrize("name", theme("machine"))
def test_a_case_is_named_and_its_consequences_are_not(name: str) -> None:
    assert alone(name)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (0x00, set()),
        (0x01, {"TUNNELS-OFF"}),
        (0x02, set()),
        (0x04, {"ISATAP-OFF-BIT"}),
        (0x08, {"TEREDO-OFF-BIT"}),
        (0x10, {"IPV6-CARDS-OFF"}),
        (0x11, {"TUNNELS-OFF"}),
        (0x20, {"PREFER-IPV4"}),
        (0x24, {"ISATAP-OFF-BIT"}),
        (0x40, set()),
        (0xFF, {"TUNNELS-OFF"}),
        (0xFFFFFFFF, {"TUNNELS-OFF", "IPV6-WRONG-VALUE"}),
        (-1, {"TUNNELS-OFF", "IPV6-WRONG-VALUE"}),
    ],
)
def test_disabled_components_of_a_manager(value: int, names: set[str]) -> None:
    assert set(found(registry(MANAGER, PARAMETERS, "DisabledComponents", value))) == names


@pytest.mark.parametrize(("value", "kept"), [(0x01, "0x0"), (0x21, "0x20"), (0x31, "0x30"), (0xFF, "0x0")])
def test_the_remedy_keeps_the_other_bits(value: int, kept: str) -> None:
    told = found(registry(MANAGER, PARAMETERS, "DisabledComponents", value))["TUNNELS-OFF"]
    assert f"/t REG_DWORD /d {kept} /f" in told.remedy[0]
    assert "0x01 no tunnel interfaces" in told.seen[0]


def test_the_isatap_bit_does_not_trouble_a_client() -> None:
    assert not found(registry(CLIENT, PARAMETERS, "DisabledComponents", 0x04))
