"""What is said of a farm, in the words of ``texts.toml``."""

from manageout.words import texts


def phrase(name: str, /, **words: object) -> str:
    """The text of that name with its words."""
    return texts("manageout.imports", name, **words)[0]
