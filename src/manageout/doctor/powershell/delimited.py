"""``ConvertTo-Csv`` and tables of Markdown in a pasted text -> records."""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from manageout.doctor.powershell.records import MAX_PROPERTIES, MAX_RECORDS, PrintedObject
from manageout.doctor.powershell.value import value_of

DELIMITED = re.compile(r'"[A-Za-z_][\w.]*"(?:([,;\t])"[A-Za-z_][\w.]*"(?:\1"[A-Za-z_][\w.]*")*)?\s*')
"""The names of the columns in a text of ConvertTo-Csv."""
MARKDOWN_RULE = re.compile(r"\s*\|(?:\s*:?-{2,}:?\s*\|)+\s*")
"""The line below the names of a table's columns in Markdown."""


def records(lines: Sequence[str]) -> list[PrintedObject]:
    """The rows of the first such table; empty when there is none."""
    for number, line in enumerate(lines):
        if match := DELIMITED.fullmatch(line):
            return _joined(csv.reader(lines[number:], delimiter=match[1] or ","))
        if number and MARKDOWN_RULE.fullmatch(line):
            rows = (one.strip().strip("|").split("|") for one in _table(lines[number + 1 :]))
            return _joined(iter([lines[number - 1].strip().strip("|").split("|"), *rows]))
    return []


def _table(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        if not line.strip().startswith("|"):
            return
        yield line


def _joined(rows: Iterator[list[str]]) -> list[PrintedObject]:
    """The first row has the names."""
    names = [name.strip(" `*") for name in next(rows)][:MAX_PROPERTIES]
    found = []
    for row in islice(rows, MAX_RECORDS):
        if len(row) != len(names):
            break
        cells = [cell.strip(" `*") for cell in row]
        values = {name: value_of([cell]) for name, cell in zip(names, cells, strict=True)}
        found.append(PrintedObject(values, ", ".join(cells)))
    return found
