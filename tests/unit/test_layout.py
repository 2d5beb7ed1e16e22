"""The house rules that a program can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import house

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "manageout"
TESTS = ROOT / "tests"
MAX_FILE = 500
MAX_FUNCTION = 60

ELSEWHERE = TESTS / "unit" / "elsewhere.toml"
OF_THE_WHOLE = {
    "test_architecture",
    "test_build_bpf",
    "test_distributions",
    "test_house",
    "test_layout",
    "test_maintainer_scripts",
    "test_security",
    "test_units",
}


@cache
def everything() -> dict[Path, tuple[str, ast.Module]]:
    """Every file of Python of ours: its text and its tree."""
    paths = [
        ROOT / "build_bpf.py",
        *(each for folder in (PACKAGE, TESTS, ROOT / "scripts") for each in folder.rglob("*.py")),
    ]
    return {path: (text := path.read_text(), ast.parse(text)) for path in sorted(paths)}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_source_has_its_test() -> None:
    elsewhere = tomllib.loads(ELSEWHERE.read_text())
    assert not [test for test in elsewhere.values() if not (TESTS / test).exists()], "gone"
    without = {"/".join(parts) for parts in house.tested_elsewhere()}
    assert not sorted(without - elsewhere.keys()), f"write a test of their own, or name theirs in {ELSEWHERE}"
    assert not sorted(elsewhere.keys() - without), "these have one of their own now, or are gone"


def test_every_unit_test_has_its_source() -> None:
    without = []
    for test in sorted((TESTS / "unit").rglob("test_*.py")):
        relative = test.relative_to(TESTS / "unit")
        if relative.parent == Path() and test.stem in OF_THE_WHOLE:
            continue
        stem = test.stem.removeprefix("test_")
        split = stem.rpartition("_")[0]  # test_nd_vectors.py is a second file for nd.py
        if not any((PACKAGE / relative.parent / f"{part}.py").exists() for part in (stem, split)):
            without.append(name(test))
    assert not without, "nothing of that name to test"


def test_files_and_functions_stay_short() -> None:
    long = [name(path) for path, (text, _) in everything().items() if text.count("\n") > MAX_FILE]
    for path, (_, tree) in everything().items():
        for node in ast.walk(tree):
            lines = getattr(node, "end_lineno", 0) - getattr(node, "lineno", 0) + 1
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and lines > MAX_FUNCTION:
                long.append(f"{name(path)}: {node.name}")
    assert not long


def test_every_file_says_what_it_is() -> None:
    silent = [name(path) for path, (_, tree) in everything().items() if not ast.get_docstring(tree)]
    assert not silent, "no module docstring"


def test_nothing_is_left_for_later() -> None:
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    assert not [name(path) for path, (text, _) in everything().items() if marks.search(text)]


def test_only_linux_opens_raw_sockets_and_reads_mounts() -> None:
    """``ctypes`` and ``fcntl`` are barred by a contract in pyproject.toml. The lab may: it is nobody's product."""
    barred = {"SOCK_RAW", "AF_PACKET", "IPPROTO_RAW"}
    found = []
    for path, (_, tree) in everything().items():
        if PACKAGE not in path.parents or path.relative_to(PACKAGE).parts[0] in ("linux", "lab"):
            continue
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        names |= {
            each.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for each in node.names
        }
        texts = [str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        if names & barred or any("/proc/self/mount" in text for text in texts):
            found.append(name(path))
    assert not found, "belongs into linux/packets or linux/host"


def test_documents_that_are_named_exist() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    links = {(page, link) for page in pages for link in re.findall(r"\]\(([^):#]+)\)", page.read_text())}
    missing = {f"{name(page)}: {link}" for page, link in links if not (page.parent / link).exists()}
    for path, (text, _) in everything().items():
        named = re.findall(r"docs/[\w/-]+\.md", text)
        missing |= {f"{name(path)}: {document}" for document in named if not (ROOT / document).exists()}
    assert not missing


def test_the_command_starts_without_the_heavy_libraries() -> None:
    """What every invocation pays for: `manageout status` has 150 ms in all."""
    heavy = ("pyroute2", "pydantic", "rich", "dns", "cryptography", "uvloop", "asyncio")
    code = f"import sys, manageout.cli.commands; print(*[m for m in {heavy!r} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.split() == []
