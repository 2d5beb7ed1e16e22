"""The day on which a paste was taken, by its own words: Get-Date, date /t, w32tm, gpresult."""

import re

from manageout.doctor.facts import Facts, Seen
from manageout.doctor.pasted.segments import Part
from manageout.windows.text import start_of

ASKED = re.compile(r"^\s*(?:get-date\b|date\s*/t\b|echo\b.*%date%|\[datetime\]::now|w32tm\b)", re.I)
"""What prints the date; of w32tm among other things."""
_NOW = re.compile(r"current time", re.I)


def taken(facts: Facts, parts: list[Part]) -> None:
    """The first day that an output calls today."""
    for part in parts:
        asked = ASKED.match(part.command) is not None and part.kind != "w32tm"
        for line in part.lines[:10] if asked or part.kind in ("w32tm", "gpresult", "") else ():
            if (asked or _NOW.search(line) or part.kind == "gpresult") and (
                day := start_of(line)
            ) is not None:
                facts.date = Seen(day, line.strip())
                return
