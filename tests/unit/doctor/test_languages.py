"""Words that Windows translates."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest

from manageout.doctor.languages import either, means


@pytest.mark.parametrize(
    ("word", "on"), [("Aktiviert", True), ("désactivé ", False), ("有効", True), ("", None), ("ja", None)]
)
def test_one_of_two(word: str, on: bool | None) -> None:
    assert either(word, "enabled", "disabled") is on


def test_a_meaning_of_many() -> None:
    assert means("Predeterminado", "default") and not means("aktiv", "default")


def test_no_word_means_two_things() -> None:
    """Each is lower case, and of one meaning where it may be either of two."""
    words = tomllib.loads(files("manageout.doctor").joinpath("languages.toml").read_text("utf-8"))
    assert all(word == word.lower() for found in words.values() for word in found)
    for yes, no in (
        ("enabled", "disabled"),
        ("connected", "disconnected"),
        ("published", "unpublished"),
        ("on", "off"),
    ):
        assert not set(words[yes]) & set(words[no])
