"""Live facts are saved and read back; what somebody else wrote is checked."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from manageout.doctor.facts import Facts
from manageout.doctor.read import bundle
from manageout.doctor.report import live_json
from manageout.errors import ManageoutError
from manageout.service.probe.results import Live
from tests.unit.doctor.live_cases import CASES, HEALTHY, HOST


def again(text: str) -> Live:
    facts = Facts("live.json")
    live_json.read(facts, text)
    assert facts.live is not None and facts.understood and facts.computer == facts.live.host
    return facts.live


@pytest.mark.parametrize("live", [*HEALTHY.values(), *(case() for case in CASES.values())])
def test_what_is_saved_is_what_is_read(live: Live) -> None:
    text = live_json.to_json(live)
    assert live_json.is_live(text) and again(text) == live


def changed(**changes: Any) -> str:
    data = json.loads(live_json.to_json(HOST))
    data["live"].update(changes)
    return json.dumps(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"host": 5},
        {"taken": "yesterday"},
        {"taken": float("nan")},
        {"kind": "toaster"},
        {"answers": {"name": 1}},
        {"answers": [{"name": "a"}]},
        {"answers": [["a", "A"]]},
        {"clock_set": "yes"},
        {"sysctls": [["one"]]},
        {"servers": ["10.0.0.10"] * (live_json.MAX_ITEMS + 1)},
        {"routers": None},
    ],
)
def test_values_of_another_type_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ManageoutError, match="not whole"):
        again(changed(**changes))


@pytest.mark.parametrize("text", ["{", '{"manageout-live": 1}', '{"manageout-live": 1, "live": []}', "[]"])
def test_halves_are_refused(text: str) -> None:
    with pytest.raises(ManageoutError, match="not whole"):
        again(text)


def test_another_version_is_named() -> None:
    with pytest.raises(ManageoutError, match="version 9"):
        again(changed().replace('"manageout-live": 1', '"manageout-live": 9'))


def test_what_a_newer_one_says_besides_is_passed_over() -> None:
    assert again(changed(novelty=[1, 2])) == HOST


def test_terminal_codes_and_long_texts_are_tamed() -> None:
    read = again(changed(host="a\x1b[2Jb" + "c" * 10000))
    assert "\x1b" not in read.host and len(read.host) == live_json.MAX_TEXT


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ManageoutError):
        again('{"manageout-live": 1, "live": ' + "[" * 100_000)


def test_an_archive_is_read_by_its_facts_alone(tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("kernel/addresses.txt", "Windows IP Configuration\n")
        archive.writestr("live.json", live_json.to_json(HOST))
        archive.writestr("control/status.json", '{"collector": "manageout", "version": 1}')
    (found,) = bundle.read([file])
    assert found.live == HOST and found.kind == "host"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(ManageoutError):
        bundle.read([file])
