"""ISATAP hosts: each rule alone on its case, and evidence at its edges."""

from __future__ import annotations

import pytest

from manageout.doctor.facts import Facts, Interface, Seen
from tests.unit.doctor.bundles import CLIENT, MANAGER, changed, facts
from tests.unit.doctor.judging import found, pasted_all
from tests.unit.doctor.rules.cases import NAME, alone, lookups, theme


@pytest.mark.parametrize("name", theme("isatap"))
def test_a_case_is_named_and_its_consequences_are_not(name: str) -> None:
    assert alone(name)


def test_an_adapter_that_is_said_to_be_disconnected() -> None:
    machine = Facts("x", isatap_state=Seen("enabled", "ISATAP State : enabled"))
    machine.interfaces = [
        Interface("isatap.corp.example", kind="isatap", index=28, connected=False, quote="28 ...")
    ]
    assert set(found(machine)) == {"ISATAP-DISCONNECTED"}
    machine.interfaces[0].connected = None
    assert not found(machine)


def over_clat(**fields: object) -> Facts:
    machine = facts(changed(MANAGER, "addresses", []))
    for name, value in fields.items():
        setattr(machine, name, value)
    return machine


@pytest.mark.parametrize("address", ["192.0.0.1", "192.0.0.7"])
def test_isatap_over_a_translator(address: str) -> None:
    rows = [{"IPAddress": address, "InterfaceIndex": 12}]
    assert set(found(changed(MANAGER, "addresses", rows))) == {"ISATAP-OVER-CLAT"}


def test_a_real_address_beside_the_translator_is_well() -> None:
    more = [{"IPAddress": "192.0.0.2", "InterfaceIndex": 30}]
    assert not found(changed(MANAGER, "addresses", lambda rows: [*rows, *more]))


def test_a_machine_that_says_that_it_translates() -> None:
    told = found(over_clat(clat=Seen(True, "CLAT instance: 192.0.0.1")))
    assert "ISATAP-OVER-CLAT" in told
    assert "ISATAP-OVER-CLAT" not in found(over_clat(clat=Seen(False, "CLAT: no instance")))
    assert "ISATAP-OVER-CLAT" not in found(over_clat())


def test_a_client_over_a_translator_is_well() -> None:
    rows = lambda rows: [{"IPAddress": "192.0.0.2", "InterfaceIndex": 8}, *rows[1:]]  # noqa: E731
    assert not found(changed(CLIENT, "addresses", rows))


def test_of_a_manager_several_routers_are_a_note() -> None:
    told = found(lookups(MANAGER, (NAME, "A", ["10.0.0.1", "10.0.0.2"])))
    assert told["ISATAP-SEVERAL-ROUTERS"].severity == "note"


def test_a_router_of_several_words_is_no_argument() -> None:
    machine = facts(MANAGER)
    machine.isatap_state = Seen("disabled", "State : disabled")
    machine.isatap_router = Seen("x -Force", "Router Name : x -Force")
    assert "-Router ROUTER" in found(machine)["ISATAP-DISABLED"].remedy[0]
    machine.isatap_router = Seen("r.corp.example", "Router Name : r.corp.example")
    assert "-Router r.corp.example" in found(machine)["ISATAP-DISABLED"].remedy[0]


OFF = "{}\n\nC:\\>netsh interface isatap show state\nISATAP State                           : {}\n"


@pytest.mark.parametrize(("state", "code"), [("default", "ISATAP-DEFAULT"), ("disabled", "ISATAP-DISABLED")])
@pytest.mark.parametrize(
    ("words", "severity"),
    [("ISATAP does not come up on this PC.", "error"), ("Managing out over ISATAP geht nicht.", "error"),
     ("ISATAP is no longer used here, for the record:", "note"), ("We don't need ISATAP. All is well?", "note"),
     ("An output of a PC.", "note")],
)  # fmt: skip
def test_off_is_a_fault_where_somebody_misses_it(state: str, code: str, words: str, severity: str) -> None:
    assert pasted_all(OFF.format(words, state))[code].severity == severity
