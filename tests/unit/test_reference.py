"""The reference page is what the program prints, and says something about every option."""

from __future__ import annotations

from pathlib import Path

from manageout.reference import reference_text

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == reference_text(), (
        "manageout check --reference > docs/reference/configuration.md"
    )


def test_every_option_is_described() -> None:
    rows = [line for line in reference_text().splitlines() if line.startswith("| `")]
    assert len(rows) > 40
    for row in rows:
        *_, text = (cell.strip() for cell in row.rstrip(" |").split(" | "))
        assert len(text) > 5, row
