"""The named reasons."""

from __future__ import annotations

from manageout.protocol.core.drops import Drop


def test_every_reason_has_a_meaning_of_its_own() -> None:
    assert len({drop.meaning for drop in Drop if drop.meaning}) == len(Drop)


def test_names_are_unique_values() -> None:
    assert len(Drop.__members__) == len(set(Drop))
