"""Counts in words."""

from __future__ import annotations

import pytest

from manageout.words import counted


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 addresses"), (1, "1 address"), (2, "2 addresses"), (1001, "1001 addresses")]
)
def test_one_and_many(count: int, text: str) -> None:
    assert counted(count, "address", "addresses") == text


def test_an_s_is_usual() -> None:
    assert [counted(count, "call") for count in (1, 2)] == ["1 call", "2 calls"]
