"""Theme, and which findings are only consequences."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from manageout.doctor.diagnosis import diagnose
from manageout.doctor.facts import Facts
from manageout.doctor.rules.rule import Rule, Theme


def always(facts: Facts) -> Iterator[tuple[str, ...]]:
    yield ("seen",)


def made(code: str, *hides: str, severity: str = "error") -> Rule:
    return Rule(code, severity, "t", "c.", ("r",), frozenset(hides), always)  # type: ignore[arg-type]


def codes(*rules: Rule) -> list[str]:
    return [finding.code for finding in diagnose([Facts("x")], rules)]


def test_a_cause_hides_what_follows_from_it() -> None:
    assert codes(made("A", "B"), made("B"), made("C")) == ["A", "C"]


def test_a_hidden_cause_hides_on() -> None:
    assert codes(made("A", "B"), made("B", "C"), made("C")) == ["A"]


def test_what_is_not_there_hides_nothing() -> None:
    (finding,) = diagnose([Facts("x")], [made("A", "B")])
    assert finding.hidden == ()


def test_the_worst_first() -> None:
    assert codes(made("A", severity="note"), made("B", severity="warning"), made("C")) == ["C", "B", "A"]


def test_a_code_is_taken_once() -> None:
    rule = Theme()
    rule("CLOCK")(always)
    with pytest.raises(ValueError, match="twice"):
        rule("CLOCK")(always)
