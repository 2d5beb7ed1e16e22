"""Tables as a console prints them, and what is none."""

from __future__ import annotations

import pytest

from manageout.doctor.powershell.table import MAX_COLUMNS, Table, find, reach

SERVICES = """
Status   Name               DisplayName
------   ----               -----------
Running  iphlpsvc           IP Helper
Stopped  Dnscache           DNS Client
"""


def table(text: str) -> Table:
    found = find(text.strip("\n").split("\n"))
    assert found is not None
    return found


def cells(text: str) -> list[list[str]]:
    return [[value.text for value in row.values.values()] for row in table(text).rows()]


def test_headings_and_rows() -> None:
    found = table(SERVICES)
    assert (found.first, found.names) == (0, ["Status", "Name", "DisplayName"])
    assert cells(SERVICES) == [["Running", "iphlpsvc", "IP Helper"], ["Stopped", "Dnscache", "DNS Client"]]
    assert next(found.rows()).quote == "Running  iphlpsvc           IP Helper"


def test_numbers_stand_on_the_right_and_may_be_wider_than_their_heading() -> None:
    text = """
ifIndex Metric Name
------- ------ ----
     12   4260 da
  12345 123456 cable
"""
    assert cells(text) == [["12", "4260", "da"], ["12345", "123456", "cable"]]


def test_an_empty_cell_stays_empty() -> None:
    text = """
Name     Server         Comment
----     ------         -------
a                       last
b        10.0.0.10
"""
    assert cells(text) == [["a", "", "last"], ["b", "10.0.0.10", ""]]


def test_a_wrapped_cell_goes_on_below_the_row() -> None:
    text = """
Name      Description
----      -----------
iphlpsvc  Provides tunnel
          connectivity
Dnscache  Names
"""
    assert cells(text) == [["iphlpsvc", "Provides tunnel connectivity"], ["Dnscache", "Names"]]


def test_where_blanks_were_lost_the_gaps_tell_the_cells() -> None:
    text = SERVICES.replace("Running  iphlpsvc           IP Helper", "Running iphlpsvc  Helper")
    assert cells(text)[0] == ["Running", "iphlpsvc", "Helper"]


def test_a_wide_character_takes_two_cells_of_the_console() -> None:
    text = """
Name         Status
----         ------
\u30a4\u30fc\u30b5\u30cd\u30c3\u30c8 Up
Wi-Fi        Down
"""
    assert cells(text) == [["\u30a4\u30fc\u30b5\u30cd\u30c3\u30c8", "Up"], ["Wi-Fi", "Down"]]


def test_a_row_whose_columns_are_lost_is_quoted_without_values() -> None:
    text = SERVICES + "x" * 60 + " y z w\n"
    assert [row.quote for row in table(text).rows() if not row.values] == ["x" * 60 + " y z w"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-----",
        "Name\n====\na",
        "Foo Barbaz\n--- ---\na b",  # dashes that are not those of these headings
        "Name Name\n---- ----\na b",  # twice the same
        "1st 2nd\n--- ---\na b",  # no names of properties
        "---- ------\n---- ------\na b",
        " ".join(f"c{n}" for n in range(100)) + "\n" + "-- " * (MAX_COLUMNS + 40) + "\na",
        "- " * 20_000,
    ],
)
def test_what_is_no_table(text: str) -> None:
    assert find(text.split("\n")) is None


def test_the_first_table_of_a_block_and_what_stands_before_it() -> None:
    found = table("PS C:\\> Get-Service\n" + SERVICES.strip("\n"))
    assert (found.first, found.names[0]) == (1, "Status")


def test_a_heading_that_a_narrow_console_has_broken() -> None:
    found = table("Interfa Address\nceAlias Family\n------- -------\nda      IPv6")
    assert found.names == ["InterfaceAlias", "AddressFamily"]


def test_where_the_last_column_begins() -> None:
    heading, dashes = SERVICES.strip("\n").split("\n")[:2]
    assert reach([heading], dashes) == 28
    assert reach([], dashes) == reach([heading], "Running") == reach(["something else"], dashes) == 0
