"""Texts with literals."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from manageout.windows.template import filled

FOLDER = files("manageout.windows")
NAMES = [f"{kind}/{one.name}" for kind in ("scripts", "templates") for one in FOLDER.joinpath(kind).iterdir()]


@pytest.mark.parametrize("name", NAMES)
def test_no_place_is_left_open(name: str) -> None:
    wanted = set(re.findall("@@([A-Z]+)@@", FOLDER.joinpath(*name.split("/")).read_text("utf-8")))
    text = filled(name, **{word: f"<{word}>" for word in wanted})
    assert "@@" not in text and all(f"<{word}>" in text for word in wanted)


def test_a_literal_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError):
        filled("scripts/isatap-on.cmd")


def test_what_a_literal_holds_is_no_place() -> None:
    assert "name=@@NAME@@ " in filled("scripts/isatap-on.cmd", ROUTER="@@NAME@@")


def test_xml_is_written_in_one_line() -> None:
    assert "\n" not in filled(
        "templates/instance.xml",
        **dict.fromkeys(
            ("ATTRIBUTES", "POLICY", "DOMAIN", "DOMAINGUID", "WHEN", "BACKUP", "ABOUT", "NAME"), "x"
        ),
    )
