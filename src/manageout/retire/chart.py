"""A line chart of days as SVG, for a page that must stand alone: no script, no font, no file beside it. Pure."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 920, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 46, 34
TICKS, MAX_DATES = 5, 8
DAY = 86400
_STEPS = (5, 10, 15, 20, 30, 40, 50, 60, 80, 100)
# Attributes, not a style sheet: what shows the page may know none inside a picture.
_GRID = 'stroke="#e3e3e3"'
_DASHED = 'stroke="#777" stroke-dasharray="3 3"'
_TEXT = 'font-family="system-ui, sans-serif" font-size="11"'
MARK_STEP = 13
"""Pixels between the labels of marks, which stand at three heights in turn."""


class Line(NamedTuple):
    """One line. ``values``: one a day, None where nobody looked."""

    name: str
    colour: str
    dash: str
    """So that it can be told from the others without colour."""
    values: Sequence[float | None]


class Mark(NamedTuple):
    """Something that happened. ``at``: Unix seconds."""

    at: float
    label: str


def chart(first: int, lines: Sequence[Line], marks: Sequence[Mark], what: str) -> str:
    """``first``: the first day since 1970; ``what``: for people who do not see it."""
    days = max((len(line.values) for line in lines), default=0)
    most = max((value for line in lines for value in line.values if value is not None), default=0)
    scale = _Scale(first, max(days, 2), _nice(most))
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(what, quote=True)}" '
        f'xmlns="http://www.w3.org/2000/svg">',
        *_grid(scale),
        *(part for number, mark in enumerate(marks) for part in _mark(scale, mark, number)),
        *(part for number, line in enumerate(lines) for part in _line(scale, line, 4.5 - number)),
        "</svg>",
    ]
    return "\n".join(parts)


class _Scale(NamedTuple):
    first: int
    days: int
    top: float

    def x(self, day: float) -> float:
        """``day`` since 1970, with its fraction; the point of a day stands at its noon."""
        return LEFT + (day - self.first) / self.days * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM)


def _nice(most: float) -> float:
    """The next number above that divides well by :data:`TICKS`."""
    size = 10.0 ** max(0, math.floor(math.log10(max(most, 1))) - 1)
    return next(step * size for step in _STEPS if step * size >= most)


def _grid(scale: _Scale) -> Iterator[str]:
    for number in range(TICKS + 1):
        value = scale.top * number / TICKS
        y = scale.y(value)
        yield f'<line {_GRID} x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text {_TEXT} fill="#555" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    step = max(1, math.ceil(scale.days / MAX_DATES))
    for day in range(scale.first, scale.first + scale.days, step):
        text = datetime.fromtimestamp(day * DAY, UTC).strftime("%d %b")
        x = scale.x(day + 0.5)
        yield f'<text {_TEXT} fill="#555" x="{x:.1f}" y="{HEIGHT - 12}" text-anchor="middle">{text}</text>'


def _mark(scale: _Scale, mark: Mark, number: int) -> Iterator[str]:
    x = scale.x(mark.at / DAY)
    y = 12 + number % 3 * MARK_STEP
    anchor = "end" if x > WIDTH / 2 else "start"
    shift = -4 if anchor == "end" else 4
    yield f'<line {_DASHED} x1="{x:.1f}" x2="{x:.1f}" y1="{y - 8}" y2="{HEIGHT - BOTTOM}"/>'
    yield (f'<text {_TEXT} x="{x + shift:.1f}" y="{y}" text-anchor="{anchor}">{escape(mark.label)}</text>')


def _line(scale: _Scale, line: Line, dot: float) -> Iterator[str]:
    """Its pieces between the days when nobody looked, and a dot for each day; the next line's dot is smaller."""
    piece: list[str] = []
    pieces = [piece]
    for number, value in enumerate(line.values):
        if value is None:
            piece = []
            pieces.append(piece)
            continue
        x, y = scale.x(scale.first + number + 0.5), scale.y(value)
        piece.append(f"{x:.1f},{y:.1f}")
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{dot:g}" fill="{line.colour}"/>'
    dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
    for points in pieces:
        if len(points) > 1:
            yield (
                f'<polyline points="{" ".join(points)}" fill="none" stroke="{line.colour}" '
                f'stroke-width="2"{dash}/>'
            )
