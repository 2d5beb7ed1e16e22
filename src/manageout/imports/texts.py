"""What is said of a farm, in the words of ``texts.toml``."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files


def phrase(name: str, /, **words: object) -> str:
    """The text of that name with its words."""
    return _texts()[name].format(**words)


@cache
def _texts() -> dict[str, str]:
    return tomllib.loads(files("manageout.imports").joinpath("texts.toml").read_text("utf-8"))
