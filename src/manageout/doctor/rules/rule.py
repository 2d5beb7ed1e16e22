"""A rule: a function that judges facts, and beside it in ``texts/`` what is said when it finds something.

How to write both: CONTRIBUTING.md, "A rule of the doctor".
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, NamedTuple

from manageout.doctor.facts import Facts
from manageout.service.probe.results import Live

Severity = Literal["error", "warning", "note"]


class Case(NamedTuple):
    """What a rule has seen once. ``names``: the values of the fields in its remedy, by their words."""

    seen: tuple[str, ...]
    """Quotes; without any there is no case."""
    names: Mapping[str, object] = {}
    variant: str = ""
    """Of the rule's text, where it has several."""
    severity: Severity | None = None
    """Of this case, when it is not the rule's own."""
    remedy: tuple[str, ...] = ()
    """Steps that follow from the evidence alone, instead of the text's."""


Look = Callable[[Facts], Iterator[tuple[str, ...] | Case]]
LookAtLive = Callable[[Live], Iterator[tuple[str, ...] | Case]]


class Variant(NamedTuple):
    """Words for some cases of a rule; what is empty is as the rule has it."""

    cause: str = ""
    remedy: tuple[str, ...] = ()
    severity: Severity | None = None


class Rule(NamedTuple):
    """``look`` yields the quotes of each case that it sees (none: it sees nothing), or a :class:`Case`; the rest is
    its text."""

    code: str
    severity: Severity
    title: str
    cause: str
    remedy: tuple[str, ...]
    """Commands or steps, in order; a ``<WORD>`` is a field."""
    hides: frozenset[str]
    """Codes of what follows from this."""
    look: Look
    variants: Mapping[str, Variant] = {}
    theme: str = ""
    """Of its module and its text."""
    symptom: bool = False
    """It says that something fails more than why: what else is found is shown before it."""

    def steps(self, names: Mapping[str, object] = {}, variant: str = "") -> tuple[str, ...]:
        """The remedy with its fields filled."""
        remedy = (variant and self.variants[variant].remedy) or self.remedy
        return tuple(_filled(step, names) for step in remedy)


class Theme:
    """The functions of one module, each by the code of its text in ``texts/MODULE.toml``."""

    def __init__(self) -> None:
        self._looks: dict[str, Look] = {}

    def __call__(self, code: str) -> Callable[[Look], Look]:
        """Decorate the function that judges ``code``."""

        def take(look: Look) -> Look:
            if code in self._looks:
                raise ValueError(f"{code} is there twice")
            self._looks[code] = look
            return look

        return take

    def live(self, code: str) -> Callable[[LookAtLive], LookAtLive]:
        """Decorate a function that looks at a running Linux machine."""

        def take(look: LookAtLive) -> LookAtLive:
            self(code)(lambda facts: look(facts.live) if facts.live is not None else iter(()))
            return look

        return take

    def codes(self) -> set[str]:
        """What is judged here."""
        return set(self._looks)

    def look(self, code: str) -> Look:
        """The function that judges ``code``."""
        return self._looks[code]


FIELD = re.compile(r"<([A-Z][A-Z0-9]*)>")
_TOKEN = re.compile(r"[A-Za-z0-9_{][\w.:/{}*+-]{0,254}", re.ASCII)
_QUOTABLE = re.compile(r"[A-Za-z0-9_{][\w .:,/{}()*+-]{0,254}", re.ASCII)
"""What may stand between the double quotes of a command. Remedies are copied into a console that runs as
administrator: in place of a name with anything else the word stays."""


def _filled(step: str, names: Mapping[str, object]) -> str:
    """The machine's own names and numbers in place of the fields; a word whose value nobody knows stays."""

    def fit(match: re.Match[str]) -> str:
        word, value = match[1], names.get(match[1])
        quoted = step[match.start() - 1 : match.start()] == step[match.end() : match.end() + 1] == '"'
        fits = value is not None and (_QUOTABLE if quoted else _TOKEN).fullmatch(str(value))
        return str(value) if fits else word

    return FIELD.sub(fit, step)
