"""The daemon's codes, as `doctor --explain` reads them from their page."""

from __future__ import annotations

from manageout.doctor.daemon_findings import daemon_findings
from manageout.doctor.rules.catalogue import RULES


def test_a_remedy_as_above_is_said() -> None:
    found = daemon_findings()
    assert all("as above" not in f"{row.cause} {row.remedy}" for row in found.values())
    assert "sysctl.d" in found["SETTING-LOST"].remedy
    assert "mo-*" in found["ROUTE-TAKEN"].remedy and found["ROUTE-TAKEN"].remedy.endswith("the other one")


def test_several_codes_share_a_row() -> None:
    assert daemon_findings()["USAGE-NOT-KEPT"] == daemon_findings()["LEASES-NOT-KEPT"]


def test_no_code_means_two_things() -> None:
    assert not set(RULES) & set(daemon_findings())
