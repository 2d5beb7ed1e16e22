"""How much of each pure module its own test file reaches: ``make coverage`` writes build/coverage.md.

The tests of the pure layers run once, and each line is noted with the test file that ran. Only lines inside of
functions count: the rest runs on import.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import coverage
import pytest

from house import NOTHING_TO_TEST, PACKAGE, ROOT, TESTS, Module, Parts, modules, own_tests

PURE = ("wire", "protocol", "windows", "site")
RUN = ["unit/wire", "unit/protocol", "unit/windows", "unit/site", "transcript", "property"]
BUILD = ROOT / "build"
SETTINGS = BUILD / "coverage.ini"


class Row(NamedTuple):
    """A module: its lines inside functions; those that its own tests reach, and that any does."""

    module: str
    lines: int
    own: int
    all: int
    tests: str


# --- the plugin of pytest: whose line it is ------------------------------------------------------------


def _now(file: Path) -> None:
    if (running := coverage.Coverage.current()) is not None:
        running.switch_context(str(file))


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Parameters are made on import."""
    _now(collector.path)


def pytest_runtest_logstart(location: tuple[str, int | None, str]) -> None:
    """A test and its fixtures."""
    _now(ROOT / location[0])


# --- the report ----------------------------------------------------------------------------------------


def own_files(parts: Parts) -> Iterator[Path]:
    """A module's test files: test_X.py, and test_X_MORE.py where X_MORE is no module."""
    for place in own_tests(parts):
        for file in sorted(place.parent.glob(f"{place.stem}*.py")):
            more = (*parts[:-1], file.stem.removeprefix("test_"))
            if file == place or (file.stem.startswith(f"{place.stem}_") and more not in modules()):
                yield file


def in_functions(module: Module) -> set[int]:
    """Lines of function bodies."""
    found: set[int] = set()
    for node in module.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.update(range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1))
    return found


def measure() -> list[Row]:
    """Of every module of the pure layers, the least covered first."""
    found = coverage.Coverage(config_file=str(SETTINGS))
    found.load()
    rows = []
    for parts, module in modules().items():
        name = ".".join(parts)
        if parts[0] not in PURE or name.endswith(NOTHING_TO_TEST):
            continue
        file = str(PACKAGE.joinpath(*parts).with_suffix(".py"))
        inside = set(found.analysis2(file)[1]) & in_functions(module)
        ran = {
            line: files for line, files in found.get_data().contexts_by_lineno(file).items() if line in inside
        }
        own = {str(each) for each in own_files(parts)}
        tests = " ".join(str(each.relative_to(TESTS)) for each in own_files(parts))
        reached = sum(not own.isdisjoint(files) for files in ran.values())
        rows.append(Row(name, len(inside), reached, len(ran), tests))
    return sorted(rows, key=lambda row: (row.own / max(1, row.lines), row.module))


def page(rows: list[Row]) -> str:
    """The report."""
    lines, own, reached = (sum(column) for column in zip(*(row[1:4] for row in rows), strict=True))
    shares = f"{own / lines:.1%} by their own test file, {reached / lines:.1%} by any of these"
    head = f"{len(rows)} modules, {lines} lines in functions: {shares}."
    table = ["| module | lines | by its own tests | by any | its own |", "|---|---|---|---|---|"]
    for row in rows:
        share = [f"{part / row.lines:.0%}" if row.lines else "" for part in (row.own, row.all)]
        table.append(
            f"| `{row.module}` | {row.lines} | {share[0]} | {share[1]} | {row.tests or 'elsewhere'} |"
        )
    return "\n".join(["# Coverage of the pure layers", "", head, "", *table, ""])


def main() -> None:
    """Run, and write the page."""
    BUILD.mkdir(exist_ok=True)
    SETTINGS.write_text(f"[run]\ndata_file = {BUILD / 'coverage.data'}\nsource = {PACKAGE}\n")
    argv = ["-m", "coverage", "run", f"--rcfile={SETTINGS}", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    argv += ["-p", "own_coverage", *(str(TESTS / folder) for folder in RUN)]
    paths = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    failed = subprocess.run([sys.executable, *argv], cwd=ROOT, env=paths, check=False).returncode
    text = page(measure())
    (BUILD / "coverage.md").write_text(text)
    print(text)
    sys.exit(failed)


if __name__ == "__main__":
    main()
