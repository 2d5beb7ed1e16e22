"""Tables that fit a terminal of :data:`COLUMNS`: what matters least is left out, and ``--wide`` shows it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from manageout.cli.show.options import json_option, socket_option, together, watch_option, wide_option
from manageout.cli.show.output import Rows, asked, printable, repeated, table

COLUMNS = 100
_GAP = 2
_SHORTEST = 20
"""To which a cell may be cut or folded."""


def fitted(
    headings: Sequence[str],
    rows: Rows,
    *,
    right: Sequence[int] = (),
    spare: Sequence[str] = (),
    fold: str = "",
    wide: bool = False,
) -> str:
    """As :func:`~manageout.cli.show.output.table`, and not wider than :data:`COLUMNS` unless ``wide``.

    Columns of ``spare`` go, the first one first, until the rest fits; then cells of ``fold`` run over several
    lines; then names are cut in the middle. What is missing is said below the table.
    """
    if wide:
        return table(headings, rows, right)
    shown = [[printable(cell) for cell in row] for row in rows]
    kept = list(range(len(headings)))
    gone = []
    for heading in spare:
        if _width(headings, shown, kept) <= COLUMNS:
            break
        kept.remove(headings.index(heading))
        gone.append(heading)
    excess = _width(headings, shown, kept) - COLUMNS
    if excess > 0 and fold:
        shown, excess = list(_folded(shown, headings.index(fold), excess)), 0
    if excess > 0:
        shown = [_cut(row, kept, excess) for row in shown]
        gone.append("parts of long names")
    places = [kept.index(number) for number in right if number in kept]
    picked = [[row[number] for number in kept] for row in shown]
    text = table([headings[number] for number in kept], picked, places)
    return f"{text}\nLeft out: {', '.join(gone)}; --wide shows all." if gone else text


def _width(headings: Sequence[str], rows: Rows, kept: Sequence[int]) -> int:
    widths = [max(len(cells[number]) for cells in (headings, *rows)) for number in kept]
    return sum(widths) + _GAP * (len(kept) - 1)


def _folded(rows: Rows, number: int, excess: int) -> Iterable[list[str]]:
    widest = max(len(row[number]) for row in rows)
    for row in rows:
        first, *more = textwrap.wrap(row[number], max(_SHORTEST, widest - excess)) or [""]
        yield [*row[:number], first, *row[number + 1 :]]
        yield from (["" if at != number else text for at in range(len(row))] for text in more)


def _cut(row: Sequence[str], kept: Sequence[int], excess: int) -> list[str]:
    """Its longest cell shorter by ``excess``."""
    longest = max(kept, key=lambda number: len(row[number]))
    cell = row[longest]
    room = max(_SHORTEST, len(cell) - excess)
    if room >= len(cell):
        return list(row)
    head = (room - 1) * 2 // 3
    short = f"{cell[:head]}…{cell[len(cell) - (room - 1 - head) :]}"
    return [short if number == longest else each for number, each in enumerate(row)]


def reading_table(command: Callable[..., str], ask_for: str) -> Callable[..., None]:
    """The body of a command that reads a table: ``command(rows, wide)``."""

    def body(runtime_dir: Path, as_json: bool, watch: float | None, wide: bool) -> None:
        repeated(
            lambda: asked(runtime_dir, ask_for, lambda rows: command(rows, wide), as_json), as_json, watch
        )

    body.__doc__ = command.__doc__
    return together(socket_option, json_option, watch_option, wide_option)(body)


def short(text: str, width: int) -> str:
    """Cut to ``width`` columns; --json has all of it."""
    return text if len(text) <= width else text[: width - 3] + "..."


def listed(title: str, texts: Iterable[str]) -> str:
    """A title, and texts below it, folded at :data:`COLUMNS`."""
    wrapper = textwrap.TextWrapper(
        COLUMNS, initial_indent="  ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join([title, *(wrapper.fill(printable(text)) for text in texts)])
