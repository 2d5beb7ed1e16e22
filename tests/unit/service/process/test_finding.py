"""What a role finds reaches `status` and `doctor --live` word for word, through the real socket."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from manageout.doctor.look.live import LiveScope, _LiveLook
from manageout.linux.netlink.links import Netlink
from manageout.service.daemon.reconcile import StepKind
from manageout.service.process import client
from manageout.service.process.control import ControlServer
from manageout.service.process.finding import Board, Finding, finding, texts
from manageout.service.process.overview import Overview
from manageout.service.process.rows import About
from tests.unit.service.leases.test_keeper import A, Scene

ROOT = Path(__file__).parents[4]
PAGE = ROOT / "docs" / "reference" / "findings.md"
CODE = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)+")
FULL = Finding("LEASES-NOT-STORED", "error", "leases cannot be stored: the disk is full", "make room")


def test_a_row_of_another_process_is_taken_as_it_is() -> None:
    assert Finding.of(FULL.shown()) == FULL
    odd: object
    for odd in (None, [], "x", {"code": 7}):
        assert all(isinstance(field, str) for field in Finding.of(odd))


def test_a_role_s_finding_reaches_the_doctor_through_the_socket(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.make('pool = "10.0.8.0/30"')
    path = tmp_path / "control.sock"

    async def main() -> dict[str, object]:
        async with scene.running():
            for number in range(3):
                scene.arrive(number, f"c{number}.corp.example", A[:-1] + bytes((number,)))
            await scene.quiet()
            overview = Overview({"leases": scene.keeper}, Netlink(), About)
            async with ControlServer(path, overview.handlers()):
                answer = await asyncio.to_thread(client.ask, path, "status")
        assert isinstance(answer, dict)
        return answer

    status = asyncio.run(main())
    found = Finding.of(status["findings"][0])  # type: ignore[index]
    assert (found.code, status["findings"]) == ("POOL-EXHAUSTED", [found.shown()])
    live = _LiveLook(LiveScope(ask=lambda command: status))._daemon()
    assert live is not None and live.findings == (found[:4],)
    assert found.what and found.remedy


def calls(tree: ast.Module, *names: str) -> Iterator[ast.Call]:
    """Of functions, methods or classes of these names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in names:
                yield node


def first(call: ast.Call) -> str:
    """The first argument, if it is a string as it stands."""
    value = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else ""
    return value if isinstance(value, str) else ""


def trees() -> Iterator[tuple[str, ast.Module]]:
    """All that the daemon runs, and ``manageout connect``."""
    for folder in ("service", "protocol", "directory"):
        for path in sorted((ROOT / "src" / "manageout" / folder).rglob("*.py")):
            yield path.name, ast.parse(path.read_text())


def codes() -> set[str]:
    """Every word that has the form of a code, and those of findings.toml; a store's for each of the stores."""
    found, stores = {key.partition(".")[0] for key in texts()} - {""}, set()
    for _, tree in trees():
        strings = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        found |= {text for text in strings if CODE.fullmatch(text)}
        stores |= {code for call in calls(tree, "findings") if (code := first(call))}
    assert stores
    endings = {code for code in found if code.startswith("{store}")}
    assert endings
    return (found - endings) | {code.format(store=store) for store in stores for code in endings}


TEXTS = {"finding": texts(), "remark": texts("manageout.service.check", "remarks.toml")}
"""What the daemon finds, and what `manageout check` does, by the function that fills the braces."""


def whole(table: dict[str, dict[str, str]], key: str) -> dict[str, str]:
    """A variant with what it takes from its code."""
    return table.get(key.partition(".")[0], {}) | table[key]


def fields(table: dict[str, dict[str, str]], key: str) -> set[str]:
    """The names in the braces of what a finding says, but for ``about``, which may stay empty."""
    text = whole(table, key)
    parsed = Formatter().parse(" ".join((key, text["what"], text["remedy"])))
    return {name for _, name, _, _ in parsed if name} - {"about"}


@pytest.mark.parametrize("function", TEXTS)
def test_every_text_is_said_by_somebody_and_every_brace_of_it_filled(function: str) -> None:
    """Where the code stands in a variable, the call must fill all that no other call says."""
    table = TEXTS[function]
    given: dict[str, list[set[str]]] = {}
    for name, tree in trees():
        for call in calls(tree, function):
            key = first(call)
            assert key in table or not isinstance(call.args[0], ast.Constant), f"{name}: {key}"
            given.setdefault(key, []).append({str(each.arg) for each in call.keywords})
    variables = given.pop("", [])
    for key, calls_of_it in given.items():
        assert all(values == fields(table, key) for values in calls_of_it), key
    bases = {key.partition(".")[0] for key in given if "." in key}
    for key, text in table.items():
        if key.startswith("FILTER-BLOCKS."):
            continue  # remedies, one for each kind of packet: a finding joins them
        complete = {"severity", "what", "remedy"} <= text.keys()
        if key not in given and (complete or key not in bases):
            assert complete and any(fields(table, key) <= values for values in variables), key


def test_every_kind_of_step_that_the_kernel_may_refuse_has_words() -> None:
    """The watch over the kernel's state finds them by the step's kind: a lack would end it."""
    assert {kind.value for kind in StepKind} <= texts().keys()


@pytest.mark.parametrize("function", TEXTS)
def test_every_severity_is_known_and_every_text_is_one_line(function: str) -> None:
    table = TEXTS[function]
    for key in table:
        text = whole(table, key)
        assert text["severity"] in ("error", "warning", "note"), key
        assert text.keys() == {"severity", "what", "remedy"} or "." not in key, key
        assert not any("\n" in words or "  " in words for words in text.values()), key


def test_a_text_s_code_and_words_are_filled_and_braces_in_what_is_filled_in_stay() -> None:
    odd = finding("{store}-NOT-KEPT", store="NAMES", things="names", why="{odd}", place="/x")
    assert (odd.code, odd.severity) == ("NAMES-NOT-KEPT", "error")
    assert odd.what.startswith("{odd}: it is left") and "move it out of /x" in odd.remedy
    lost = finding("RA-ROUTE.lost", "eth0", via="fe80::1")
    assert (lost.code, lost.severity, lost.about) == ("RA-ROUTE", "warning", "eth0")
    assert "fe80::1 on eth0" in lost.what and "eth0.accept_ra" in lost.remedy


def test_a_board_tells_rows_of_one_code_apart_by_what_they_are_about_or_say(
    caplog: pytest.LogCaptureFixture,
) -> None:
    board = Board()
    rows = [finding("UNDERLAY-GONE", name, use="x") for name in ("eth0", "eth1")]
    harm = [finding("LISTENER-UNTRACKED.errors", rule=rule, accept="x") for rule in ("r1", "r2")]
    board.show("cards", rows, 0.0)
    board.show("untracked", harm, 0.0)
    assert board.findings() == rows + harm
    with caplog.at_level("INFO"):
        board.show("cards", rows[:1], 1.0)
        board.show("untracked", harm[:1], 1.0)
    assert "UNDERLAY-GONE: eth1 is right again" in caplog.text
    gone = next(row.getMessage() for row in caplog.records if "r2" in row.message and row.levelname == "INFO")
    assert gone == f"LISTENER-UNTRACKED: {harm[1].what} is right again"


def test_every_code_has_its_form() -> None:
    """So that :func:`codes` sees it, and monitoring can match it."""
    for name, tree in trees():
        for call in calls(tree, "Finding", "finding", "Row", "Problem", "RecordError", "SignerError"):
            code = first(call)
            if code and not code.startswith("{store}-"):
                assert CODE.fullmatch(code.partition(".")[0]), f"{name}: {code}"


def test_the_page_has_every_code_with_cause_and_remedy_and_no_other() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    listed = [code for row in rows for code in re.findall(r"`([A-Z0-9-]+)`", row.split("|")[1])]
    assert len(listed) == len(set(listed))
    assert set(listed) == codes()
    for row in rows:
        _, _, cause, remedy, _ = row.split("|")
        assert len(cause.strip()) > 5 and len(remedy.strip()) > 5, row
