"""The page about the architecture: its pictures are of today's code, and the files that it names exist."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "architecture.md"


def test_the_pictures_are_drawn_from_this_code() -> None:
    argv = [sys.executable, str(ROOT / "scripts" / "architecture.py"), "--check"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def defined(path: Path) -> set[str]:
    """Functions and classes of a file, methods as ``Class.method``."""
    text = path.read_text()
    if path.suffix == ".c":
        return set(re.findall(r"^[\w\s()\"*]*?\b(\w+)\(struct ", text, re.MULTILINE))
    found: set[str] = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            inside = (each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
            found.update(f"{node.name}.{each.name}" for each in inside)
    return found


def test_the_files_and_names_on_the_ways_exist() -> None:
    named = re.findall(r"`((?:bpf|scripts|[a-z]+)/[\w/.]+\.(?:py|c|toml))(?:::([\w.]+))?`", PAGE.read_text())
    assert len(named) > 60 and sum(bool(name) for _, name in named) > 50
    missing = []
    for file, name in named:
        path = ROOT / file if (ROOT / file).exists() else ROOT / "src/manageout" / file
        if not path.exists() or (name and name not in defined(path)):
            missing.append(f"{file}::{name}")
    assert not missing


ELSEWHERE = {"receive", "on_timer", "transmit", "events", "timer", "KernelError", "WireError", "ssl"}
"""Words in the docstrings of packages that are no modules."""


def test_every_room_says_what_it_is_for_and_names_what_is_there() -> None:
    package, silent, missing = ROOT / "src/manageout", [], []
    for file in sorted(package.rglob("__init__.py")):
        room = str(file.parent.relative_to(package))
        text = ast.get_docstring(ast.parse(file.read_text())) or ""
        if "/" in room and len(text.split()) < 15:
            silent.append(room)
        for name in re.findall(r"``([\w./]+?)(?:\.[A-Z_]+)?``", text):
            around = (file.parent, file.parent.parent, package, ROOT)
            path = name if "/" in name or name.endswith((".py", ".toml")) else name.replace(".", "/")
            if name not in ELSEWHERE and not any(
                (base / path).exists() or (base / f"{path}.py").exists() for base in around
            ):
                missing.append(f"{room}: {name}")
    assert not silent and not missing
