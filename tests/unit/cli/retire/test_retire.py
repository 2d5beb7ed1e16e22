"""``manageout retire``: the group, its order, who did it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manageout.cli.retire.retire import STEPS, retire
from manageout.errors import ManageoutError
from tests.tools.commands import run


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "site.toml"
    folders = f'state_dir = "{tmp_path}"\nruntime_dir = "{tmp_path}"\n'
    isatap = '[isatap]\nlocators = ["10.0.0.5"]\nhosts = ["10.0.1.0/24"]\n'
    path.write_text(f'[site]\nprefix = "fd12:3456:789a::/48"\n{isatap}[daemon]\n{folders}')
    return str(path)


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


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("judge", "judge cannot follow here: the site is not counted yet"),
        ("pilot 10.0.1.30", "pilot cannot follow here: the site is not counted yet"),
        ("forward --all", "forward cannot follow here: the site is not counted yet"),
        ("forward", "groups that are left: none of the site file"),
        ("remove", "remove cannot follow here"),
        ("undo", "nothing to undo"),
    ],
)
def test_a_step_out_of_its_order_is_refused(file: str, step: str, says: str) -> None:
    try:
        refusal = run(retire, *step.split(), "--config", file, code=2).output
    except ManageoutError as error:
        refusal = error.message
    assert says in refusal


def test_what_may_be_asked_at_any_time(file: str, tmp_path: Path) -> None:
    def told(*words: str) -> str:
        return run(retire, *words, "--config", file, code=None).output

    assert "Phase: not begun" in told("status")
    assert json.loads(told("status", "--json"))["next"] == "manageout retire census"
    assert "Nobody retires" in told("watch")
    assert "retirement.md is written" in told("report", "--output", str(tmp_path / "new"))
    assert "The retirement has not begun." in (tmp_path / "new" / "retirement.md").read_text()
