"""The page of complaints and causes, from the table of them: ``python scripts/complaints.py`` writes it again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from manageout.words import toml_of

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "complaints.md"


class Complaint(NamedTuple):
    """``instead``: by design, or what evidence cannot show, and where to look. ``threads``: who asked."""

    words: str
    codes: Sequence[str] = ()
    instead: str = ""
    threads: Sequence[int] = ()


_HEAD = """# Complaints and causes

What people say, or Windows shows, and what [`manageout doctor`](../guide/troubleshooting.md) calls its possible causes.
Where nothing that it looks at can show the cause, the last column says why, or what to look at instead. Numbers in
brackets are the comment threads of Hicks, "ISATAP Recommendations for DirectAccess Deployments" (2013 to 2020).
`manageout doctor --explain CODE` says more of a code.
"""


def complaints() -> dict[str, list[Complaint]]:
    """By the heading of their theme."""
    table = toml_of("manageout.doctor", "complaints.toml")
    return {title: [Complaint(**row) for row in table[theme]] for theme, title in table["themes"].items()}


def page() -> str:
    """Markdown."""
    parts = [_HEAD]
    for title, rows in complaints().items():
        table = "| said or seen | causes | not seen, or by design |\n|---|---|---|\n"
        parts.append(f"## {title}\n\n{table}" + "\n".join(map(_row, rows)))
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _row(complaint: Complaint) -> str:
    threads = f" ({', '.join(map(str, complaint.threads))})" if complaint.threads else ""
    codes = ", ".join(f"`{code}`" for code in complaint.codes)
    return f"| {complaint.words}{threads} | {codes} | {' '.join(complaint.instead.split())} |"


if __name__ == "__main__":
    PAGE.write_text(page())
