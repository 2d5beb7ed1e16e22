"""What a role finds reaches `status` and `doctor --live` word for word, through the real socket."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

from manageout.doctor.look.live import LiveScope, _LiveLook
from manageout.linux.netlink.links import Netlink
from manageout.service.process import client
from manageout.service.process.control import ControlServer
from manageout.service.process.finding import Finding
from manageout.service.process.overview import Overview
from manageout.service.process.rows import About
from tests.unit.service.leases.test_keeper import A, Scene

ROOT = Path(__file__).parents[4]
PAGE = ROOT / "docs" / "reference" / "findings.md"
CODE = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)+")
FULL = Finding("LEASES-NOT-STORED", "error", "leases cannot be stored: the disk is full", "make room")


def test_a_row_of_another_process_is_taken_as_it_is() -> None:
    assert Finding.of(FULL._asdict()) == FULL
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
    assert (found.code, status["findings"]) == ("POOL-EXHAUSTED", [found._asdict()])
    live = _LiveLook(LiveScope(ask=lambda command: status))._daemon()
    assert live is not None and live.findings == (tuple(found),)
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
    """Every word that has the form of a code, and what a database's name and ending make together."""
    found, stores, endings = set(), set(), set()
    for name, tree in trees():
        strings = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        found |= {text for text in strings if CODE.fullmatch(text)}
        stores |= {code for call in calls(tree, "findings") if (code := first(call))}
        if name == "database.py":
            endings = {text for text in strings if re.fullmatch(r"(-[A-Z]+)+", text)}
    assert stores and endings
    return found | {f"{store}{ending}" for store in stores for ending in endings}


def test_every_code_has_its_form() -> None:
    """So that :func:`codes` sees it, and monitoring can match it."""
    for name, tree in trees():
        for call in calls(tree, "Finding", "Row", "Problem", "RecordError", "SignerError"):
            code = first(call)
            if code and name not in ("check.py", "found.py"):  # whose findings have no code
                assert CODE.fullmatch(code), f"{name}: {code}"


def test_the_page_has_every_code_with_cause_and_remedy_and_no_other() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    listed = [code for row in rows for code in re.findall(r"`([A-Z0-9-]+)`", row.split("|")[1])]
    assert len(listed) == len(set(listed))
    assert set(listed) == codes()
    for row in rows:
        _, _, cause, remedy, _ = row.split("|")
        assert len(cause.strip()) > 5 and len(remedy.strip()) > 5, row
