"""``Format-Table``: a heading, dashes as long as each heading, rows. Numbers stand on the right, others on the left."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from manageout.doctor.powershell.shapes import KNOWN
from manageout.doctor.powershell.value import MAX_FRAGMENTS, PrintedValue, value_of

MAX_COLUMNS = 60
MAX_HEADING = 5
"""Lines of a heading that a narrow console has broken."""
_RULE = re.compile(r"\s*-+(?:\s+-+)*\s*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*(?:\([A-Za-z]+\))?")
_FILLER = "\x00"
"""The second cell of a wide character."""


class Row(NamedTuple):
    """``values``: empty cells too; none at all: the columns of this row are lost."""

    values: dict[str, PrintedValue]
    quote: str


class Table(NamedTuple):
    """``first``: the line of its heading. ``spans``: where the dashes of each column begin and end."""

    first: int
    names: list[str]
    spans: list[tuple[int, int]]
    lines: list[str]

    def rows(self) -> Iterator[Row]:
        """Each row; a line whose first cell is empty goes on with the row above."""
        held: list[list[str]] = []
        quote = ""
        for line in self.lines:
            cells = _cells(line, self.spans)
            if cells is None:
                if 1 < len(self.names) - 1 <= len(line.split()):
                    yield Row({}, line.strip())
                continue
            if held and self._goes_on(cells, held):
                for fragments, cell in zip(held, cells, strict=True):
                    if cell and len(fragments) < MAX_FRAGMENTS:
                        fragments.append(cell)
                continue
            if held:
                yield self._row(held, quote)
            held, quote = [[cell] for cell in cells], line.strip()
        if held:
            yield self._row(held, quote)

    def _goes_on(self, cells: list[str], held: list[list[str]]) -> bool:
        """``-Wrap``: the rest of a cell below it, and the first column empty or filled to its end."""
        if not cells[0]:
            return True
        return len(cells) > 1 and not any(cells[1:]) and len(held[0][-1]) >= self._width(0)

    def _width(self, column: int) -> int:
        after = self.spans[column + 1][0] - 1 if column + 1 < len(self.spans) else 1 << 16
        return max(after - self.spans[column][0], 1)

    def _row(self, held: list[list[str]], quote: str) -> Row:
        values = [value_of(cells, self._width(number), cell=True) for number, cells in enumerate(held)]
        return Row(dict(zip(self.names, values, strict=True)), quote)


def find(lines: list[str]) -> Table | None:
    """The first table in a block of lines without blank ones."""
    for number in range(1, len(lines)):
        if (found := _at(lines, number)) is not None:
            return found
    return None


def _at(lines: list[str], number: int) -> Table | None:
    """The table whose dashes are line ``number``."""
    line = lines[number]
    if "-" not in line or line.count("- ") >= MAX_COLUMNS or not _RULE.fullmatch(line):
        return None
    spans = [match.span() for match in re.finditer("-+", line)]
    for height in range(1, min(number, MAX_HEADING) + 1):
        if _RULE.fullmatch(lines[number - height]):
            break
        names = _names(lines[number - height : number], spans)
        if names and len(set(names)) == len(names):
            return Table(number - height, names, spans, lines[number + 1 :])
    return None


def reach(above: list[str], line: str) -> int:
    """Where the last column begins, when ``line`` is the dashes below a heading, with which a table begins; else 0."""
    if "--" not in line:
        return 0
    near = [*above[-MAX_HEADING:], line]
    found = _at(near, len(near) - 1) if len(near) > 1 else None
    return found.spans[-1][0] if found is not None else 0


def _names(heading: list[str], spans: list[tuple[int, int]]) -> list[str]:
    """The dashes of a column are as long as its heading, or as each line of a broken one; no other tool's are."""
    words = heading[0].split()
    if len(heading) == 1 and [len(word) for word in words] == [end - start for start, end in spans]:
        names = words
    elif len(heading) == 1 and len(words) == len(spans) > 1 and all(word.lower() in KNOWN for word in words):
        names = words  # somebody has changed the names of columns, or the dashes
    else:
        if any(_outside(line, spans) for line in heading):
            return []
        names = ["".join(line[start:end].strip() for line in heading) for start, end in spans]
        if any(len(name) < end - start for name, (start, end) in zip(names, spans, strict=True)):
            return []
    return names if all(_NAME.fullmatch(name) for name in names) else []


def _outside(line: str, spans: list[tuple[int, int]]) -> bool:
    gaps = [(0, spans[0][0]), *((a[1], b[0]) for a, b in pairwise(spans)), (spans[-1][1], len(line))]
    return any(line[start:end].strip() for start, end in gaps)


def _cells(line: str, spans: list[tuple[int, int]]) -> list[str] | None:
    """The cells by where they stand; where blanks were lost, by the gaps between words. None: neither does it."""
    wide = _widened(line)
    cells: list[str] = []
    start = 0
    for (_, end), (after, right) in pairwise(spans):
        cut = after
        if wide[after - 1 : after].strip(" "):
            # A number on the right of the next column is wider than its heading, or the blanks were lost.
            cut = wide.rfind(" ", end, after) + 1
            on_the_right = wide[right - 1 : right].strip(" ") and not wide[right : right + 1].strip(" ")
            if not cut or not on_the_right:
                break
        cells.append(_plain(wide[start:cut]))
        start = cut
    else:
        return [*cells, _plain(wide[start:])]
    for gap in (r"\s{2,}|\t", r"\s+"):
        found = re.split(gap, line.strip(), maxsplit=len(spans))
        if len(found) == len(spans):
            return found
    if len(line.split()) == 1:
        return [line.strip(), *[""] * (len(spans) - 1)]
    return _nearest(line, [start for start, _ in spans[1:]])


MAX_OFF = 24
"""Characters by which a cell may stand beside its column, when somebody has changed its text."""


def _nearest(line: str, starts: list[int]) -> list[str] | None:
    """Cut at the gaps that are nearest to where the columns begin; wider gaps are rather between cells."""
    gaps = [match for match in re.finditer(r"\s+", line) if match.start() > 0 and match.end() < len(line)]
    cells, begin = [], 0
    for number, start in enumerate(starts):
        left = len(starts) - number - 1
        open_ = gaps[: len(gaps) - left] if left else gaps
        best = min(open_, key=lambda gap: abs(gap.end() - start) - 3 * (len(gap[0]) > 1), default=None)
        if best is None or abs(best.end() - start) > MAX_OFF:
            return None
        cells.append(line[begin : best.start()].strip())
        begin, gaps = best.end(), [gap for gap in gaps if gap.start() > best.start()]
    return [*cells, line[begin:].strip()]


def _widened(line: str) -> str:
    """One character for each cell of the console."""
    if line.isascii():
        return line
    return "".join(c + _FILLER if unicodedata.east_asian_width(c) in "WF" else c for c in line)


def _plain(cell: str) -> str:
    return cell.replace(_FILLER, "").strip()
