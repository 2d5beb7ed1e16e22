"""Rules, and the fields of their remedies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from manageout.doctor.facts import Facts
from manageout.doctor.rules.catalogue import RULES
from manageout.doctor.rules.rule import Theme


def always(facts: Facts) -> Iterator[tuple[str, ...]]:
    yield ("seen",)


def test_a_code_is_taken_once() -> None:
    rule = Theme()
    rule("CLOCK")(always)
    with pytest.raises(ValueError, match="twice"):
        rule("CLOCK")(always)


@pytest.mark.parametrize(
    ("step", "names", "shown"),
    [
        ("set <N> on", {"N": 0}, "set 0 on"),
        ("set <N> on", {"N": None}, "set N on"),
        ("set <N> on", {}, "set N on"),
        ("set <N> on", {"N": "a b"}, "set N on"),
        ('set "<N>" on', {"N": "a b"}, 'set "a b" on'),
        ('set "<N>" on', {"N": 'a" & b'}, 'set "N" on'),
        ("set <N>:443 on", {"N": "<N>"}, "set N:443 on"),
        ("isatap.{GUID}", {"GUID": "x"}, "isatap.{GUID}"),
    ],
)
def test_a_field_is_filled_with_what_a_console_takes(step: str, names: dict[str, object], shown: str) -> None:
    made = RULES["CLOCK"]._replace(remedy=(step,))
    assert made.steps(names) == (shown,)
