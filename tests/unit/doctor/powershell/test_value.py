"""Values as PowerShell prints them: whole, broken over lines, and cut."""

from __future__ import annotations

import pytest

from manageout.doctor.powershell.value import MAX_ITEMS, PrintedValue, value_of


def test_text_and_nothing() -> None:
    assert value_of(["Up"]) == ("Up", None, False)
    assert value_of(["Up"]).texts == ["Up"]
    assert value_of([""]).texts == value_of([]).texts == []


@pytest.mark.parametrize(
    ("printed", "items", "cut"),
    [
        ("{}", (), False),
        ("{a}", ("a",), False),
        ("{a, b, c, d}", ("a", "b", "c", "d"), False),
        ("{a, b, c, d...}", ("a", "b", "c", "d"), True),  # $FormatEnumerationLimit: the fourth is whole
        ("{a, b, c, d\u2026}", ("a", "b", "c", "d"), True),
        ("{a, b, c", ("a", "b"), True),  # a narrow column cuts anywhere
        ("{a, b,", ("a", "b"), True),
        ("{a, b...", ("a",), True),
        ("{fd00::1,fd00::2}", ("fd00::1,fd00::2",), False),  # no blank: one item that has a comma
    ],
)
def test_a_list(printed: str, items: tuple[str, ...], cut: bool) -> None:
    assert value_of([printed]) == PrintedValue(printed, items, cut)
    assert value_of([printed]).texts == list(items)


@pytest.mark.parametrize("text", ["IPHTTPSInter...", "IPHTTPSInter\u2026", "...Interface"])
def test_only_a_cell_of_a_table_is_cut_by_dots(text: str) -> None:
    assert value_of([text], cell=True).cut
    assert not value_of([text]).cut


def test_between_words_lines_are_joined_with_a_blank() -> None:
    assert value_of(["CN=gateway,", "O=corp"], 80).text == "CN=gateway, O=corp"
    assert value_of(["{a,", "b,", "c}"], 3).items == ("a", "b", "c")


def test_a_word_that_is_longer_than_a_line_is_put_together() -> None:
    assert (
        value_of(["https://gatew", "ay.corp.examp", "le/IPHTTPS"], 13).text
        == "https://gateway.corp.example/IPHTTPS"
    )
    assert value_of(["short", "word"], 13).text == "short word", "it did not fill its line"


def test_a_list_of_a_stranger_is_bounded() -> None:
    found = value_of([f"{{{', '.join(map(str, range(MAX_ITEMS + 50)))}}}"])
    assert found.items is not None
    assert (len(found.items), found.cut) == (MAX_ITEMS, True)
