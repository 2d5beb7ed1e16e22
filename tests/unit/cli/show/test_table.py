"""Tables that fit a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

import click

from manageout.cli.commands import cli
from manageout.cli.show.table import COLUMNS, Column, table
from tests.tools.commands import run
from tests.unit.cli.reading.test_tables_hosts import NEVER
from tests.unit.conftest import Serve

Cells = tuple[str, ...]


def columns(*headings: str, right: str = "", spare: str = "", fold: str = "") -> list[Column[Cells]]:
    """Columns of tuples; ``spare``: headings of one letter, the first to go first."""
    return [
        Column(
            heading,
            itemgetter(number),
            heading in right,
            spare.find(heading) + 1,
            bool(fold) and heading in fold,
        )
        for number, heading in enumerate(headings)
    ]


def lines(declared: list[Column[Cells]], rows: Sequence[Cells], *, wide: bool = False) -> list[str]:
    return click.unstyle(table(declared, rows, wide=wide)).splitlines()


def test_what_fits_is_as_it_is() -> None:
    declared = columns("A", "B", right="B", spare="A")
    assert lines(declared, [("1", "2")]) == ["A  B", "1  2"]
    assert lines(declared, []) == ["A  B"]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert lines(columns("A", "B", right="A"), [("1", "2"), ("333", "")])[1:] == ["  1  2", "333  -"]


def test_several_texts_stand_below_one_another() -> None:
    declared: list[Column[list[str]]] = [Column("N", lambda row: row[0]), Column("A", lambda row: row[1:])]
    text = click.unstyle(table(declared, [["pc", "1", "2"], ["other"]]))
    assert text.splitlines() == ["N      A", "pc     1", "       2", "other  -"]


def test_columns_go_in_their_order_until_the_rest_fits() -> None:
    declared = columns("A", "B", "C", "N", right="N", spare="CAB")
    rows = [("x" * 50, "y" * 40, "z" * 30, "7")]
    assert lines(declared, rows) == [
        "A" + " " * 51 + "B" + " " * 41 + "N",
        f"{'x' * 50}  {'y' * 40}  7",
        "Left out: C; --wide shows all.",
    ]
    wide = lines(declared, rows, wide=True)
    assert len(wide) == 2 and "z" * 30 in wide[1]


def test_a_last_column_is_folded() -> None:
    meaning = "no table lets this machine call this client on this port " * 2
    rows = [("7", "policy", "s" * 40, meaning.strip()), ("1", "loop", "-", "short")]
    shown = lines(columns("COUNT", "REASON", "FROM", "MEANING", fold="MEANING"), rows)
    assert max(map(len, shown)) <= COLUMNS
    assert len(shown) > 3 and shown[-1].split() == ["1", "loop", "-", "short"]
    assert " ".join(line[57:] for line in shown[1:-1]).split() == meaning.split()
    assert "Left out" not in shown[-1]


def test_long_names_are_cut_in_the_middle() -> None:
    name = "laptop-of-somebody." + "department." * 10 + "corp.example"
    declared = columns("NAME", "ADDRESS")
    shown = lines(declared, [(name, "fd12::7"), ("short", "fd12::8")])
    assert max(map(len, shown)) == COLUMNS
    assert shown[1].startswith("laptop-of-somebody.") and "….department.corp.example" not in shown[1]
    assert shown[1].split()[0].endswith("corp.example") and shown[1].split()[1] == "fd12::7"
    assert shown[-1] == "Left out: parts of long names; --wide shows all."
    assert name in lines(declared, [(name, "fd12::7")], wide=True)[1]


def test_control_characters_do_not_come_through() -> None:
    assert "\x1b" not in lines(columns("A"), [("\x1b[31m" + "x" * 120,)])[1]


def test_the_option(serve: Serve) -> None:
    directory: Path = serve({"hosts": [NEVER | {"name": "n" * 40}]})
    narrow = run(cli, "hosts", "--runtime-dir", str(directory)).stdout
    wide = run(cli, "hosts", "--wide", "--runtime-dir", str(directory)).stdout
    assert "a00:11f" not in narrow and "--wide" in narrow
    assert "a00:11f" in wide and "Left out" not in wide
