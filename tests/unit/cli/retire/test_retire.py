"""``manageout retire``: the group, its order, who did it."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from manageout.cli.retire.judge import render_status
from manageout.cli.retire.retire import STEPS, retire
from manageout.cli.show.fitted import COLUMNS


def test_the_help_lists_the_steps_in_their_order() -> None:
    result = CliRunner().invoke(retire, ["--help"])
    assert result.exit_code == 0
    places = [result.output.index(f"\n  {name} ") for name in STEPS]
    assert places == sorted(places)


@pytest.mark.parametrize("name", STEPS)
def test_every_step_can_be_imported_and_says_what_it_does(name: str) -> None:
    result = CliRunner().invoke(retire, [name, "--help"])
    assert result.exit_code == 0
    assert f"Usage: retire {name}" in result.output


def test_an_unknown_step_is_a_usage_error() -> None:
    assert CliRunner().invoke(retire, ["cencus"]).exit_code == 2


def test_status_fits_a_terminal() -> None:
    figures = {"initiate": 1200, "only hold an address": 3400, "gone": 50, "served by nothing yet": 12}
    entry = {"at": 1.8e9, "step": "judge", "forced": True, "by": "administrator@gateway", "figures": figures}
    text = render_status(
        {"phase": "judged", "watched": 0, "evidence": 0, "entries": [entry], "members": [], "next": "-"},
        1.8e9,
    )
    assert max(map(len, text.splitlines())) <= COLUMNS
    for words in ("initiate 1200", "nothing", "12"):
        assert words in text
