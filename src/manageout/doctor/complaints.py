"""What people complain of and what Windows shows, in their words -> the causes that the doctor knows, or why it cannot.

The table stands in complaints.toml, and the reference page is made of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from manageout.words import toml_of


class Complaint(NamedTuple):
    """``instead``: by design, or what evidence cannot show, and where to look. ``threads``: who asked."""

    words: str
    codes: tuple[str, ...]
    instead: str
    threads: tuple[int, ...]


_HEAD = """# Complaints and causes

What people say, or Windows shows, and what [`manageout doctor`](../guide/troubleshooting.md) calls its possible causes.
Where nothing that it looks at can show the cause, the last column says why, or what to look at instead. Numbers in
brackets are the comment threads of Hicks, "ISATAP Recommendations for DirectAccess Deployments" (2013 to 2020).
`manageout doctor --explain CODE` says more of a code.
"""


@cache
def complaints() -> dict[str, list[Complaint]]:
    """By the heading of their theme."""
    table = toml_of("manageout.doctor", "complaints.toml")
    return {title: [_complaint(**row) for row in table[theme]] for theme, title in table["themes"].items()}


def _complaint(
    words: str, codes: Sequence[str] = (), instead: str = "", threads: Sequence[int] = ()
) -> Complaint:
    return Complaint(words, tuple(codes), " ".join(instead.split()), tuple(threads))


def about(code: str) -> list[str]:
    """In what words people complain of what ``code`` finds."""
    return [
        complaint.words for rows in complaints().values() for complaint in rows if code in complaint.codes
    ]


def complaints_text() -> str:
    """Markdown."""
    parts = [_HEAD]
    for title, rows in complaints().items():
        table = "| said or seen | causes | not seen, or by design |\n|---|---|---|\n"
        parts.append(f"## {title}\n\n{table}" + "\n".join(map(_row, rows)))
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _row(complaint: Complaint) -> str:
    threads = f" ({', '.join(map(str, complaint.threads))})" if complaint.threads else ""
    codes = ", ".join(f"`{code}`" for code in complaint.codes)
    return f"| {complaint.words}{threads} | {codes} | {complaint.instead} |"
