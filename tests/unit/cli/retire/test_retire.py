"""``manageout retire``: the group, its order, who did it."""

from __future__ import annotations

import pytest

from manageout.cli.retire.retire import STEPS, retire
from tests.tools.commands import run


def test_the_help_lists_the_steps_in_their_order() -> None:
    result = run(retire, "--help")
    places = [result.output.index(f"\n  {name} ") for name in STEPS]
    assert places == sorted(places)


@pytest.mark.parametrize("name", STEPS)
def test_every_step_can_be_imported_and_says_what_it_does(name: str) -> None:
    result = run(retire, name, "--help")
    assert f"Usage: retire {name}" in result.output


def test_an_unknown_step_is_a_usage_error() -> None:
    run(retire, "cencus", code=2)
