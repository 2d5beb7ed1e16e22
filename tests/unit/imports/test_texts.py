"""Each text of an import is said somewhere, and each that is said is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from manageout.imports.texts import phrase
from manageout.words import toml_of

CODE = Path(__file__).parents[3] / "src" / "manageout" / "imports"


def test_texts_are_those_that_are_said() -> None:
    said = {
        name for path in CODE.glob("*.py") for name in re.findall(r'phrase\("([\w-]+)"', path.read_text())
    }
    assert said == set(toml_of("manageout.imports", "texts.toml"))


def test_what_a_server_says_is_no_template() -> None:
    assert phrase("no-file", name="{0}") == (
        "no file of the server {0}: run the collector there and give it as well"
    )
    with pytest.raises(KeyError):
        phrase("no-file")
