"""Objects of ``ConvertTo-Json`` in a pasted text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from manageout.doctor.powershell.json import MAX_TEXT, records
from manageout.doctor.powershell.records import MAX_PROPERTIES, MAX_RECORDS
from manageout.doctor.powershell.value import MAX_ITEMS


def read(value: Any, before: str = "") -> list[dict[str, str]]:
    lines = f"{before}{json.dumps(value, indent=2)}".split("\n")
    return [{name: value.text for name, value in one.values.items()} for one in records(lines)]


def test_one_object_and_a_list_of_them() -> None:
    assert read({"Name": "da", "Up": True, "Mtu": 1280}) == [{"Name": "da", "Up": "True", "Mtu": "1280"}]
    assert [one["Name"] for one in read([{"Name": "a"}, {"Name": "b"}])] == ["a", "b"]


def test_what_stands_before_and_behind_is_passed_over() -> None:
    lines = ["PS C:\\> Get-NetRoute | ConvertTo-Json", '{"a":', ' "b"}', "PS C:\\> exit", "{"]
    assert [one.values["a"].text for one in records(lines)] == ["b"]


@pytest.mark.parametrize(
    "text", ["", "no JSON", "{", "[1, 2", '{"a": }', "[" * 100_000, '"text"', "[]", "{}", "[null, 3, []]"]
)
def test_what_is_no_object_gives_none(text: str) -> None:
    assert records(text.split("\n")) == []


def test_lists_and_what_windows_powershell_makes_of_them() -> None:
    (found,) = records(['{"a": ["x", null, 1], "b": {"value": ["y"], "Count": 1}, "c": {"deep": 1}}'])
    assert found.values["a"].items == ("x", "", "1")
    assert found.values["b"].items == ("y",)
    assert found.values["c"].text == ""


def test_numbers_of_enumerations_are_given_their_words() -> None:
    from manageout.doctor.powershell.shapes import DATA

    name, words = next((name, words) for name, words in DATA["enumerations"].items() if "beside" not in words)
    number, word = next(iter(words.items()))
    assert read({name: int(number)}) == [{name: word}]
    assert read({name: 987654}) == [{name: "987654"}], "a number that we do not know stays"
    assert read({name: True}) == [{name: "True"}], "a boolean is no number"


def test_a_number_has_its_word_only_beside_what_tells_the_enumeration() -> None:
    from manageout.doctor.powershell.shapes import DATA

    for name, words in DATA["enumerations"].items():
        if (beside := words.get("beside")) is not None:
            number = next(each for each in words if each != "beside")
            assert read({name: int(number)})[0][name] == number
            assert read({name: int(number), beside: "x"})[0][name] == words[number]


def test_what_a_stranger_sends_is_bounded() -> None:
    assert len(read([{"a": 1}] * (MAX_RECORDS + 5))) == MAX_RECORDS
    (wide,) = read({f"p{number}": 1 for number in range(MAX_PROPERTIES + 5)})
    assert len(wide) == MAX_PROPERTIES
    (found,) = records([json.dumps({"text": "x" * 9999, "list": ["y"] * (MAX_ITEMS + 1)})])
    assert len(found.values["text"].text) == MAX_TEXT
    assert (len(found.values["list"].items or ()), found.values["list"].cut) == (MAX_ITEMS, True)


def test_the_quote_names_the_first_properties() -> None:
    assert records(['{"a": 1, "b": "x\\ny", "c": null, "d": 4}'])[0].quote == "a 1, b x y, c "
