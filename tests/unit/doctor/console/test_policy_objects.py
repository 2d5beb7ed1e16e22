"""Versions of group policies' objects."""

from __future__ import annotations

import pytest

from manageout.doctor.console.policy_objects import MAX_KEPT, read
from manageout.doctor.facts import Facts
from manageout.doctor.pasted.segments import Part


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        (["displayName: A", "versionNumber: 65537"], [("A", 65537, False)]),
        (["versionNumber: 2", "displayName: A", "", "versionNumber: 3", "displayName: B"],
         [("A", 2, False), ("B", 3, False)]),
        (["[General]", "Version=4"], [("", 4, True)]),
        (["Version: 10"], []),
        (["versionNumber: none", "versionNumber: 99999999999999"], []),
        (["display name : A", "version : 3", "flags : NONE"], [("A", 3, False)]),
    ],
)  # fmt: skip
def test_versions(lines: list[str], kept: list[tuple[str, int, bool]]) -> None:
    facts = Facts("x")
    assert read(facts, Part("", lines)) == bool(kept)
    assert [(one.name, one.number, one.sysvol) for one in facts.policy_versions] == kept


def test_many_are_not_all_kept() -> None:
    facts = Facts("x")
    read(facts, Part("", [f"versionNumber: {number}\n" for number in range(9)]))
    lines = [word for number in range(MAX_KEPT + 50) for word in (f"versionNumber: {number}", "")]
    read(facts, Part("", lines))
    assert len(facts.policy_versions) == MAX_KEPT
