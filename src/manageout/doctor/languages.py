"""Words that Windows translates, by what they mean: those of ``languages.toml``."""

import re

from manageout.words import toml_of

_WORDS = {
    meaning: frozenset(words) for meaning, words in toml_of("manageout.doctor", "languages.toml").items()
}


def means(word: str, meaning: str) -> bool:
    """Whether ``word`` stands for ``meaning``, a key of the file, in some language."""
    return word.strip().lower() in _WORDS[meaning]


def either(word: str, yes: str, no: str) -> bool | None:
    """True for a word of one meaning, False for one of the other, None for one of neither."""
    return True if means(word, yes) else False if means(word, no) else None


OUTER = re.compile(r"extern|internet|outside|\bwan\b|\bdmz\b|perimet|public|öffentlich", re.I)
INNER = re.compile(r"\bintern(?!et)|inside|\blan\b|intranet|corp", re.I)
"""How people call a server's two cards."""
