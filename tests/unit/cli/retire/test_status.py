"""``manageout retire status``: what it prints."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from pathlib import Path

from manageout.cli.retire.retire import retire
from manageout.cli.retire.status import WayOut, render_status
from manageout.cli.show.table import COLUMNS
from manageout.service.state.retire import LoggedStep, Member
from manageout.service.state.retire_phases import Phase, RetireStep
from tests.tools.commands import run

FIGURES = {
    "initiate": 1200,
    "only hold an address": 3400,
    "gone": 50,
    "served by nothing yet": 12,
    "calls": 9,
}
ENTRY = LoggedStep(1, RetireStep.JUDGE, Phase.JUDGED, 1.8e9, 1.7e9, "administrator@gateway", True, FIGURES)


def test_it_fits_a_terminal() -> None:
    members = [Member(IPv4Network("10.0.1.0/24"), "helpdesk", 1.8e9 - 60)]
    found = WayOut(phase=Phase.JUDGED, next="-", watched=0, evidence=604800, members=members, entries=[ENTRY])
    text = render_status(found, 1.8e9)
    assert max(map(len, text.splitlines())) <= COLUMNS
    for words in (
        "each step wants 7 d",
        "judge (forced)",
        "initiate 1200",
        "nothing",
        "12",
        "10.0.1.0/24",
        "60 s",
    ):
        assert words in text
    assert "calls 9" not in text


def test_before_the_first_step(file: str) -> None:
    assert "Phase: not begun" in run(retire, "status", "--config", file).output
    found = json.loads(run(retire, "status", "--json", "--config", file).output)
    assert (found["next"], found["watched"], found["entries"]) == ("manageout retire census", 0.0, [])


def test_a_damaged_record_of_calls_hides_nothing_else(file: str, tmp_path: Path) -> None:
    (tmp_path / "usage.db").write_text("no database")
    printed = run(retire, "status", "--config", file).output
    assert "Phase: not begun" in printed and "watched for 0 s" in printed
