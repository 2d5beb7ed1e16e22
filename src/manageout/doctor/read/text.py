"""Bytes of a saved or pasted console -> clean lines: code page, line ends, the wrapping at 80 columns, and what mails
and web pages did to them (:mod:`~manageout.doctor.pasted.lines`).
"""

import re
import unicodedata
from itertools import islice

from manageout.doctor.pasted import lines as paste
from manageout.doctor.pasted.segments import Part, parts
from manageout.doctor.powershell import table as powershell_table
from manageout.windows.text import decoded
from manageout.words import printable as printable

MAX_BYTES = 4 * 1024 * 1024
"""More than any of the commands prints; what is beyond is not looked at."""
WIDTHS = (79, 80, 120)
"""Console widths at which a capture is cut: that of the console, or one less."""
MAX_LINES = 120_000
"""Of a text; one more is kept, by which it is seen that there were more."""
MAX_PARTS = 2000
"""Outputs in one text."""
MAX_LINE = 1000
"""Characters of a line; no command prints longer ones."""

_OWN_LINE = re.compile(
    r"\S+\s+\S+\s+\d+\s+[0-9A-Fa-f:.]+/\d+\s|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]|"
    r"(?:PS )?[A-Za-z]:\\|[A-Za-z][\w.]*\s+:(?:\s|$)"
)
_OPEN = re.compile(r"(?:\{[0-9A-Fa-f-]{8,36}|[0-9A-Fa-f]\([A-Za-z]{1,14})$")
_CLOSES = re.compile(r"[0-9A-Fa-f-]{1,36}\}:?\s*$|[a-z]{1,14}\)\s*$")
"""A GUID, or the remark behind an address, that a narrow console has cut."""
_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def decode(data: bytes) -> str:
    """Text in whatever a console wrote it (the OEM code page 850 too), in plain characters. Never fails."""
    text = decoded(data[:MAX_BYTES], otherwise="cp850")
    text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
    text = text if text.isascii() else _TYPESET.sub(lambda match: _TYPED.get(match[0], ""), text)
    return _CONTROL.sub("", text)


def lines(text: str) -> list[str]:
    """The lines as the console showed them, without what is at their ends: quoting, fences, indentation of a whole
    block and the wrapping of consoles and mail programs are gone.

    Whatever reads Windows' text begins with this, that of ``import`` too.
    """
    rows = [_row(line[:MAX_LINE]) for line in paste.plain(text).split("\n", MAX_LINES + 1)[: MAX_LINES + 1]]
    return paste.unwrapped(_uncut(paste.dedented(paste.single_spaced(paste.unquoted(rows)))))


def outputs(rows: list[str]) -> tuple[list[Part], list[str]]:
    """The outputs in ``rows`` (of :func:`lines`), and in words what was too much to be looked at."""
    found = list(islice(parts(rows[:MAX_LINES]), MAX_PARTS + 1))
    bounds = ((len(rows), MAX_LINES, "lines"), (len(found), MAX_PARTS, "outputs"))
    over = (f"more than {most} {what}" for held, most, what in bounds if held > most)
    return found[:MAX_PARTS], [f"{words}: the rest was not looked at" for words in over]


def _row(line: str) -> str:
    """A line whose columns stand where they stood. Blanks at its end are kept: a console may have cut it there."""
    line = line.expandtabs() if "\t" in line else line
    return "" if line.isspace() else line


def _uncut(rows: list[str]) -> list[str]:
    """A line that a console has cut fills its width, and its rest stands at column 0.

    Trailing blanks of a line are the console's too. PowerShell fits its tables into the width, so their rows are whole.
    """
    found: list[str] = []
    cut = table = False
    for line in rows:
        table = (table and bool(line)) or powershell_table.reach(found, line) > 0
        open_word = bool(found) and _OPEN.search(found[-1]) is not None and _CLOSES.match(line) is not None
        rest = cut and not table and _is_rest(line) and not found[-1].endswith(":")
        if open_word or (rest and len(found[-1]) < MAX_LINE):
            found[-1] += line.rstrip()
        else:
            found.append(line.rstrip())
        cut = _cells(line) in WIDTHS
    return found


def _is_rest(line: str) -> bool:
    """Whether ``line`` may be the rest of the one before: no row of a table of routes, no prompt, no property."""
    setting = ". . " in line or " : " in line
    return bool(line) and not line[0].isspace() and not setting and _OWN_LINE.match(line) is None


def _cells(line: str) -> int:
    """How many cells of a console the line fills: East Asian characters take two."""
    if line.isascii():
        return len(line)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


_TYPED = {
    **dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000", " "),
    **dict.fromkeys("\u2018\u2019\u201a\u201b", "'"), **dict.fromkeys("\u201c\u201d\u201e\u201f", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    "\u2028": "\n", "\u2029": "\n", "\u0085": "\n",
}  # fmt: skip
"""What mail and word processors make of blanks, quotes and dashes."""
_TYPESET = re.compile("[" + "".join(_TYPED) + "\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
"""These, and what cannot be seen: marks of direction, of joining, of byte order within a text."""
