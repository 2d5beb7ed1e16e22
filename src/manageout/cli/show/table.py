"""Tables as columns declared once. They fit a terminal of :data:`COLUMNS`: what matters least is left out, and
``--wide`` shows it.

They are drawn here in a few lines rather than by rich, which would double the time of a command.
"""

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Generic, NamedTuple, TypeVar

import click

from manageout.cli.show.output import printable

Row = TypeVar("Row")
Grid = list[list[str]]

COLUMNS = 100
_GAP = 2
_SHORTEST = 20
"""To which a cell may be cut or folded."""


class Column(NamedTuple, Generic[Row]):
    """One column of a table."""

    heading: str
    cell: Callable[[Row], str | Sequence[str] | None]
    """What it says of a row; several texts stand below one another. Nothing is shown as ``-``."""
    right: bool = False
    """Flush right."""
    spare: int = 0
    """When it goes where there is too little room: 1 first; 0 never."""
    fold: bool = False
    """Its cells run over several lines, rather than that names are cut."""


def table(columns: Sequence[Column[Row]], rows: Iterable[Row], *, wide: bool = True) -> str:
    """Columns as wide as their widest cell, and together not wider than :data:`COLUMNS` unless ``wide``.

    Spare columns go until the rest fits; then cells of one that folds run over several lines; then names are cut in
    the middle. What is missing is said below the table.
    """
    kept = list(columns)
    grid = [line for row in rows for line in _lines(kept, row)]
    if wide:
        return _drawn(kept, grid)
    gone: list[str] = []
    for column in sorted((each for each in columns if each.spare), key=lambda each: each.spare):
        if _excess(kept, grid) <= 0:
            break
        number = kept.index(column)
        del kept[number]
        grid = [cells[:number] + cells[number + 1 :] for cells in grid]
        gone.append(column.heading)
    excess = _excess(kept, grid)
    folds = [number for number, column in enumerate(kept) if column.fold]
    if excess > 0 and folds:
        grid = list(_folded(grid, folds[0], excess))
    elif excess > 0:
        grid = [_cut(cells, excess) for cells in grid]
        gone.append("parts of long names")
    text = _drawn(kept, grid)
    return f"{text}\nLeft out: {', '.join(gone)}; --wide shows all." if gone else text


def _lines(columns: Sequence[Column[Row]], row: Row) -> Iterator[list[str]]:
    cells = [column.cell(row) or "-" for column in columns]
    stacks = [[cell] if isinstance(cell, str) else cell for cell in cells]
    return ([printable(text) for text in line] for line in zip_longest(*stacks, fillvalue=""))


def _widths(columns: Sequence[Column[Row]], grid: Grid) -> list[int]:
    headings = [column.heading for column in columns]
    return [max(map(len, cells)) for cells in zip(headings, *grid, strict=True)]


def _excess(columns: Sequence[Column[Row]], grid: Grid) -> int:
    return sum(_widths(columns, grid)) + _GAP * (len(columns) - 1) - COLUMNS


def _drawn(columns: Sequence[Column[Row]], grid: Grid) -> str:
    widths = _widths(columns, grid)

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if column.right else cell.ljust(width)
            for column, cell, width in zip(columns, cells, widths, strict=True)
        ]
        return (" " * _GAP).join(padded).rstrip()

    return "\n".join([click.style(line([column.heading for column in columns]), bold=True), *map(line, grid)])


def _folded(grid: Grid, number: int, excess: int) -> Iterator[list[str]]:
    widest = max(len(cells[number]) for cells in grid)
    for cells in grid:
        first, *more = textwrap.wrap(cells[number], max(_SHORTEST, widest - excess)) or [""]
        yield [*cells[:number], first, *cells[number + 1 :]]
        yield from (["" if at != number else text for at in range(len(cells))] for text in more)


def _cut(cells: list[str], excess: int) -> list[str]:
    """With the longest cell shorter by ``excess``."""
    longest = max(cells, key=len)
    room = max(_SHORTEST, len(longest) - excess)
    if room >= len(longest):
        return cells
    head = (room - 1) * 2 // 3
    shortened = f"{longest[:head]}…{longest[len(longest) - (room - 1 - head) :]}"
    return [shortened if cell is longest else cell for cell in cells]


def short(text: str, width: int) -> str:
    """Cut to ``width`` columns; --json has all of it."""
    return text if len(text) <= width else text[: width - 3] + "..."


def listed(title: str, texts: Iterable[str]) -> str:
    """A title, and texts below it, folded at :data:`COLUMNS`."""
    return "\n".join([title, *(folded(printable(text), "  ", "    ") for text in texts)])


def folded(text: str, first: str = "", others: str = "") -> str:
    """Lines of at most :data:`COLUMNS`; words stay whole, for they may be commands or addresses."""
    wrapper = textwrap.TextWrapper(COLUMNS, initial_indent=first, subsequent_indent=others)
    wrapper.break_long_words = wrapper.break_on_hyphens = False
    return wrapper.fill(text)
