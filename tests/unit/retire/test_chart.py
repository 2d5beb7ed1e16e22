"""The chart is SVG that stands alone, whatever the numbers and the names are."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from manageout.retire.chart import DAY, HEIGHT, LEFT, RIGHT, WIDTH, Line, Mark, chart

FIRST = 20_000
SVG = "{http://www.w3.org/2000/svg}"


def drawn(*lines: Line, marks: tuple[Mark, ...] = (), what: str = "hosts by day") -> ElementTree.Element:
    return ElementTree.fromstring(chart(FIRST, lines, marks, what))


def line(*values: float | None, name: str = "hosts", dash: str = "") -> Line:
    return Line(name, "#0072b2", dash, values)


def numbers(picture: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in picture.iter(f"{SVG}text") if each.get("text-anchor") == "end"]


@pytest.mark.parametrize(
    ("most", "top"), [(0, "5"), (1, "5"), (5, "5"), (6, "10"), (51, "60"), (101, "150"), (99_999, "100000")]
)
def test_the_scale_ends_at_a_round_number_that_holds_all(most: float, top: str) -> None:
    assert numbers(drawn(line(most, 0)))[5] in (top, f"{float(top):g}")


def test_days_when_nobody_looked_break_the_line() -> None:
    picture = drawn(line(1, 2, None, 3, None, 4, 5, 6))
    pieces = [each.get("points", "").split() for each in picture.iter(f"{SVG}polyline")]
    assert [len(points) for points in pieces] == [2, 3], "one day alone is a dot"
    assert len(list(picture.iter(f"{SVG}circle"))) == 6


def test_every_point_lies_inside() -> None:
    picture = drawn(line(0, 7, 1000, 3), line(1000, 1000, 1000, 1000, dash="6 3"))
    for dot in picture.iter(f"{SVG}circle"):
        assert LEFT < float(dot.get("cx", "")) < WIDTH - RIGHT
        assert 0 < float(dot.get("cy", "")) < HEIGHT
    assert [each.get("stroke-dasharray") for each in picture.iter(f"{SVG}polyline")] == [None, "6 3"]


def test_names_of_strangers_cannot_leave_the_picture() -> None:
    hostile = '</text><script>alert(1)</script> & "x"'
    picture = drawn(line(1, 2), marks=(Mark(FIRST * DAY, hostile),), what=hostile)
    assert not list(picture.iter(f"{SVG}script"))
    assert picture.get("aria-label") == hostile
    assert hostile in [each.text for each in picture.iter(f"{SVG}text")]


def test_labels_of_marks_turn_away_from_the_edge_and_stand_at_three_heights() -> None:
    marks = tuple(Mark((FIRST + day) * DAY, f"mark {day}") for day in range(6))
    labels = [
        each for each in drawn(line(*range(6)), marks=marks).iter(f"{SVG}text") if "mark" in (each.text or "")
    ]
    assert [each.get("text-anchor") for each in labels] == ["start"] * 3 + ["end"] * 3
    assert [each.get("y") for each in labels] == ["12", "25", "38"] * 2


@pytest.mark.parametrize("days", [1, 7, 9, 400])
def test_dates_are_few_enough_to_be_read(days: int) -> None:
    dates = [
        each.text
        for each in drawn(line(*[1.0] * days)).iter(f"{SVG}text")
        if each.get("text-anchor") == "middle"
    ]
    assert dates[0] == "04 Oct"
    assert len(dates) == math.ceil(max(days, 2) / max(1, math.ceil(days / 8))) <= 8


def test_without_a_day_there_is_a_picture_all_the_same() -> None:
    assert not list(drawn().iter(f"{SVG}circle"))
    assert not list(drawn(line(None, None)).iter(f"{SVG}circle"))
