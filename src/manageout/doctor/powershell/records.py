"""PowerShell's text output -> records, in any culture: property names are never translated, values may be.

Three shapes, as ``Format-List``, ``Format-Table`` and ``Select-Object`` print them: ``Name : value`` with lines that go
on below the value; a heading, dashes of the same lengths, rows; and the bare values of ``(Get-X).Name``. What a console
has cut (``...``, in PowerShell 7 one character) is said to be cut.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from manageout.doctor.powershell import table as powershell_table
from manageout.doctor.powershell.value import MAX_FRAGMENTS, PrintedValue, value_of

MAX_RECORDS = 2000
MAX_PROPERTIES = 300
"""Of a record; Get-ComputerInfo has 180."""
NARROWEST = 70
"""Characters of a line from which on PowerShell may have broken a word in it."""
_LABEL = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.]{0,80}(?: ?\([A-Za-z]+\))?)(\s*):(?:\s+(\S.*)|\s*)")
_COLON = re.compile(r":(?:\s|$)")
GROUPS = ("Hive", "PSComputerName", "ComputerName", "ProviderName", "Parent")
"""What headings above a table name; they are indented, unless somebody took the blanks away."""
_CERTIFICATE = re.compile(r"\[(?:Subject|Issuer|Serial Number|Not Before|Not After|Thumbprint)\]")
_BARE = re.compile(
    r"\)\.([A-Za-z]\w*)\s*$|\|\s*(?:select(?:-object)?\s+-e\w*|%|foreach(?:-object)?|fw|format-wide)\s+"
    r"(?:-property\s+)?(\w+)(?:\s+-(?:column|autosize)(?:\s+[0-9]+)?)*\s*$",
    re.I,
)


class PrintedObject(NamedTuple):
    """One object. ``values``: property name -> value, in its order. ``quote``: the line it begins with.

    Without values: a row of a table of which nobody can tell the columns.
    """

    values: dict[str, PrintedValue]
    quote: str


class _Label(NamedTuple):
    name: str
    blank: bool
    """Whether blanks stand before the colon, as PowerShell prints it."""
    column: int
    """Of the colon."""
    value: str


def records(lines: Sequence[str], command: str = "") -> list[PrintedObject]:
    """The objects in ``lines``, at most :data:`MAX_RECORDS`. ``command``: what printed them, where that is known."""
    reader = _Reader()
    for block in _blocks(lines):
        reader.block(block)
        if len(reader.done) >= MAX_RECORDS:
            break
    found = reader.end()
    return found[:MAX_RECORDS] or _bare(lines, command)


def _blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    held: list[str] = []
    for line in lines:
        if line.strip():
            held.append(line)
        elif held:
            yield held
            held = []
    if held:
        yield held


def _label(line: str) -> _Label | None:
    match = _LABEL.fullmatch(line)
    return _Label(match[1], bool(match[2]), match.end(2), (match[3] or "").rstrip()) if match else None


class _Reader:
    """Blocks of lines between blank ones -> records; the one that is being read may go on in the next block."""

    def __init__(self) -> None:
        self.done: list[PrintedObject] = []
        self.group: dict[str, PrintedValue] = {}
        """What a heading such as ``   ComputerName: DA1`` says of all below it."""
        self._fragments: dict[str, list[str]] = {}
        self._quote = ""
        self._last = ""
        self._column = 0
        self._single = False
        """Whether the record has come in blocks of one line: a blank line was added after each."""

    def block(self, lines: list[str]) -> None:
        """Add one."""
        if (found := powershell_table.find(lines)) is not None:
            self._list(lines[: found.first])
            self._end()
            for row in islice(found.rows(), MAX_RECORDS):
                self.done.append(PrintedObject({**self.group, **row.values} if row.values else {}, row.quote))
            return
        self._list(lines)

    def end(self) -> list[PrintedObject]:
        """All of them, those of headings that nothing followed too."""
        self._end()
        return self.done

    def _list(self, lines: list[str]) -> None:
        labels = [_label(line) for line in lines]
        first = next((label for label in labels if label is not None), None)
        if first is None:
            self._goes_on(lines)
            return
        columns = {label.column for label in labels if label is not None}
        if _is_foreign([line for line, label in zip(lines, labels, strict=True) if label is None], columns):
            self._end()
            return
        heads = lines[0][0].isspace() or first.name in GROUPS
        if len(lines) == 1 and not first.blank and first.value and heads:
            self._end()
            self.group = {first.name: value_of([first.value])}
            return
        self._begin(first, len(lines) == 1)
        for line, label in zip(lines, labels, strict=True):
            # the longest name may have lost its blank
            strange = label is not None and label.blank != first.blank and label.column != first.column
            if label is None or strange or self._is_open(line):
                self._more(line)
            else:
                self._property(label, line)

    def _begin(self, first: _Label, single: bool) -> None:
        """A blank line ends an object, but for those in the text of a certificate, and those that somebody added."""
        same = first.column == self._column and first.name not in self._fragments
        certificate = bool(self._last) and any(map(_CERTIFICATE.match, self._fragments[self._last]))
        added = single and self._single
        if not (same and (certificate or added)):
            self._end()
            self._single = single
        self._column = first.column

    def _property(self, label: _Label, line: str) -> None:
        if label.name in self._fragments:  # the blank line between two objects is lost
            self._end()
        if len(self._fragments) < MAX_PROPERTIES:
            self._quote = self._quote or line.strip()
            self._fragments[label.name] = [label.value] if label.value else []
            self._last = label.name

    def _is_open(self, line: str) -> bool:
        """Whether a line that looks like a property is the rest of a value: indented beyond the colon."""
        return bool(self._last) and len(line) - len(line.lstrip()) > self._column

    def _more(self, line: str) -> None:
        """A line without a label belongs to the value above it if it is indented, or if a brace is open there."""
        if not self._last:
            return
        fragments = self._fragments[self._last]
        is_open = bool(fragments) and fragments[0].startswith("{") and not fragments[-1].endswith("}")
        if line[0].isspace() or is_open:
            if len(fragments) < MAX_FRAGMENTS:
                fragments.append(line.strip())
        else:
            self._last = ""

    def _goes_on(self, lines: list[str]) -> None:
        """A block without a label: the text of a certificate goes on after blank lines."""
        if self._last and all(len(line) - len(line.lstrip()) > self._column for line in lines):
            for line in lines:
                self._more(line)
        else:
            self._last = ""

    def _end(self) -> None:
        if self._fragments:
            filled = max(NARROWEST - self._column - 2, 1)
            values = {name: value_of(fragments, filled) for name, fragments in self._fragments.items()}
            self.done.append(PrintedObject({**self.group, **values}, self._quote))
        self._fragments, self._quote, self._last, self._single = {}, "", "", False


def _is_foreign(lines: list[str], columns: set[int]) -> bool:
    """Whether some label has several words, with its colon below those of the others: netsh prints so."""
    for line in lines:
        colon = _COLON.search(line)
        words = len(line[: colon.start()].split(None, 2)) if colon is not None else 0
        if colon is not None and words > 1 and (colon.start() in columns or ". ." in line):
            return True
    return False


def _bare(lines: Sequence[str], command: str) -> list[PrintedObject]:
    """The values of one property: ``(Get-X).Name``, ``Get-X | select -ExpandProperty Name``, ``Format-Wide Name``."""
    match = _BARE.search(command[-200:])
    name = match and (match[1] or match[2])
    if not name:
        return []
    wide = re.search(r"\b(?:fw|format-wide)\b", command, re.I) is not None
    found: list[PrintedObject] = []
    for line in lines:
        for cell in re.split(r"\s{2,}", line.strip()) if wide else [line.strip()]:
            if cell and len(found) < MAX_RECORDS:
                found.append(PrintedObject({name: value_of([cell])}, cell))
    return found
