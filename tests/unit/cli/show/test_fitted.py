"""Tables that fit a terminal."""

from __future__ import annotations

from pathlib import Path

import click

from manageout.cli import cli
from manageout.cli.show.fitted import COLUMNS, fitted
from tests.tools.commands import run
from tests.unit.cli.reading.test_hosts import NEVER
from tests.unit.conftest import Serve


def lines(*args: object, **options: object) -> list[str]:
    return click.unstyle(fitted(*args, **options)).splitlines()  # type: ignore[arg-type]


def test_what_fits_is_as_it_is() -> None:
    assert lines(("A", "B"), [("1", "2")], right=(1,), spare=("A",)) == ["A  B", "1  2"]
    assert lines(("A", "B"), [], spare=("A",)) == ["A  B"]


def test_columns_go_in_their_order_until_the_rest_fits() -> None:
    rows = [("x" * 50, "y" * 40, "z" * 30, "7")]
    shown = lines(("A", "B", "C", "N"), rows, right=(3,), spare=("C", "A", "B"))
    assert shown == [
        "A" + " " * 51 + "B" + " " * 41 + "N",
        f"{'x' * 50}  {'y' * 40}  7",
        "Left out: C; --wide shows all.",
    ]
    wide = lines(("A", "B", "C", "N"), rows, spare=("C", "A", "B"), wide=True)
    assert len(wide) == 2 and "z" * 30 in wide[1]


def test_a_last_column_is_folded() -> None:
    meaning = "no table lets this machine call this client on this port " * 2
    rows = [("7", "policy", "s" * 40, meaning.strip()), ("1", "loop", "-", "short")]
    shown = lines(("COUNT", "REASON", "FROM", "MEANING"), rows, fold="MEANING")
    assert max(map(len, shown)) <= COLUMNS
    assert len(shown) > 3 and shown[-1].split() == ["1", "loop", "-", "short"]
    assert " ".join(line[57:] for line in shown[1:-1]).split() == meaning.split()
    assert "Left out" not in shown[-1]


def test_long_names_are_cut_in_the_middle() -> None:
    name = "laptop-of-somebody." + "department." * 10 + "corp.example"
    shown = lines(("NAME", "ADDRESS"), [(name, "fd12::7"), ("short", "fd12::8")])
    assert max(map(len, shown)) == COLUMNS
    assert shown[1].startswith("laptop-of-somebody.") and "….department.corp.example" not in shown[1]
    assert shown[1].split()[0].endswith("corp.example") and shown[1].split()[1] == "fd12::7"
    assert shown[-1] == "Left out: parts of long names; --wide shows all."
    assert name in fitted(("NAME", "ADDRESS"), [(name, "fd12::7")], wide=True)


def test_control_characters_do_not_come_through() -> None:
    assert "\x1b" not in lines(("A",), [("\x1b[31m" + "x" * 120,)])[1]


def test_the_option(serve: Serve) -> None:
    directory: Path = serve({"hosts": [NEVER | {"name": "n" * 40}]})
    narrow = run(cli, "hosts", "--runtime-dir", str(directory)).stdout
    wide = run(cli, "hosts", "--wide", "--runtime-dir", str(directory)).stdout
    assert "a00:11f" not in narrow and "--wide" in narrow
    assert "a00:11f" in wide and "Left out" not in wide
