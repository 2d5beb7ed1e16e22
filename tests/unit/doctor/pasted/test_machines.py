"""Several machines in one text are told apart."""

from __future__ import annotations

from manageout.doctor.facts import Facts
from manageout.doctor.read.pasted import read
from manageout.doctor.read.text import lines
from tests.unit.doctor.console.test_ipconfig import ENGLISH

STATE = "C:\\>netsh interface isatap show state\nISATAP State : {}\n"


def states(text: str) -> dict[str, str]:
    facts = Facts("x")
    found = [facts, *read(facts, lines(text))]
    return {one.computer or one.source: one.isatap_state.value for one in found if one.isatap_state}


def test_by_the_names_in_their_outputs() -> None:
    other = ENGLISH.replace("HELPDESK1", "HELPDESK2")
    text = ENGLISH + STATE.format("enabled") + other + STATE.format("disabled")
    assert states(text) == {"HELPDESK1": "enabled", "HELPDESK2": "disabled"}


def test_what_stands_before_the_first_name_is_its() -> None:
    assert states(STATE.format("enabled") + ENGLISH) == {"HELPDESK1": "enabled"}


def test_by_remote_prompts() -> None:
    remote = STATE.format("disabled").replace("C:\\>", "[DA1]: PS C:\\> ")
    text = ENGLISH + STATE.format("enabled") + remote
    assert states(text) == {"HELPDESK1": "enabled", "DA1": "disabled"}


def test_by_headings() -> None:
    text = f"On the server:\n\n{STATE.format('disabled')}\n=== HELP7 ===\n{STATE.format('enabled')}"
    assert states(text) == {"server in x": "disabled", "HELP7": "enabled"}


def roles(text: str) -> dict[str, str]:
    facts = Facts("x")
    return {one.computer or one.source: one.role for one in (facts, *read(facts, lines(text)))}


def test_a_heading_that_says_what_a_machine_is() -> None:
    text = f"Auf dem DirectAccess-Server DA1:\n\n{STATE.format('enabled')}\nServer DC1:\n\n{STATE.format('disabled')}"
    assert roles(text) == {"DA1": "server", "DC1": "unknown"}
    assert roles(f"On the router:\n{STATE.format('enabled')}") == {"router in x": "server"}
    assert roles(f"=== DA1 (DirectAccess server) ===\n{STATE.format('enabled')}") == {"DA1": "server"}


def test_a_role_gets_its_name_from_its_output() -> None:
    text = (
        f"On the client:\n\n{ENGLISH}\n{STATE.format('enabled')}\nOn the server:\n{STATE.format('disabled')}"
    )
    assert states(text)["HELPDESK1"] == "enabled" and len(states(text)) == 2


def test_a_name_behind_what_a_machine_is() -> None:
    text = f"Here is my PC, HD-PC07:\n\n{STATE.format('enabled')}\nOn my laptop, LT-55, it stays off:\n\n"
    text += STATE.format("disabled")
    assert states(text) == {"HD-PC07": "enabled", "LT-55": "disabled"}
    assert states(f"On my PC, RDP fails:\n\n{STATE.format('enabled')}") == {"pc in x": "enabled"}
