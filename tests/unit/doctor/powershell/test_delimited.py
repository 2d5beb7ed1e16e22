"""CSV and tables of Markdown."""

from __future__ import annotations

import pytest

from manageout.doctor.powershell.delimited import records

CSV = '"Name","Status"\n"iphlpsvc","Stopped"\n"a, b","Running"\n\n"x","y","z"'
MARKDOWN = "| Name | Status |\n|:---|---:|\n| `iphlpsvc` | Stopped |\n| a, b | Running |\nprose\n"


@pytest.mark.parametrize("text", [CSV, CSV.replace('","', '";"'), CSV.replace('","', '"\t"'), MARKDOWN])
def test_rows(text: str) -> None:
    found = records(text.split("\n"))
    assert [{name: value.text for name, value in one.values.items()} for one in found] == [
        {"Name": "iphlpsvc", "Status": "Stopped"}, {"Name": "a, b", "Status": "Running"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", '"He said", he', "| a | b |", "|---|---|", '"Name"\n', "Name,Status\na,b"]
)
def test_nothing_of_the_kind(text: str) -> None:
    assert records(text.split("\n")) == []
