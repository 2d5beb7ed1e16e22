"""``manageout drops``."""

from __future__ import annotations

from manageout.cli.drops import render


def test_reason_meaning_source_count() -> None:
    row = {
        "reason": "loop",
        "meaning": "would travel in a loop",
        "source": "10.0.1.40",
        "count": 7,
        "last": None,
    }
    heading, line = render([row]).splitlines()
    assert "MEANING" in heading
    for cell in ("loop", "would travel in a loop", "10.0.1.40", "7"):
        assert cell in line


def test_none() -> None:
    assert render([]) == "Nothing has been dropped."
