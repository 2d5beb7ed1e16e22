"""What is said of a farm, in the words of ``texts.toml``."""

from __future__ import annotations

from manageout.words import toml_of


def phrase(name: str, /, **words: object) -> str:
    """The text of that name with its words."""
    return str(toml_of("manageout.imports", "texts.toml")[name].format(**words))
